"""What mpcfl is compared with, each honest and small. Nothing of mpcfl uses them, and they protect nobody as it does.

All train on a `problem.Problem`. `federated.FederatedLearning` has each `participant.Participant` compute its gradient;
they are added up in the clear, by `masks.PairwiseMasks`, or by `secure_aggregation.SecureAggregation` under encryption
(`homomorphic.HomomorphicEncryption`, `paillier.Paillier`), of which one party holds the key.
`encrypted.EncryptedLearning` encrypts the rows themselves. An observer is told what each role sees (`federated`).
"""
