"""What mpcfl is compared with, each honest and small. Nothing of mpcfl uses them, and they protect nobody."""
