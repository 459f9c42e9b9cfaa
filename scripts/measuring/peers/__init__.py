"""mpcfl's logistic regression beside CrypTen's and SecretFlow SPU's: one file a system, one for the links."""
