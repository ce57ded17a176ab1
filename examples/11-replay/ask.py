"""Flowers measured by somebody else: asks the service about them, half over V1 and half over V2.

python examples/11-replay/ask.py [HOW MANY] [URL]
"""

import sys

import numpy as np
from sklearn.datasets import load_iris

from inferplane import Client

MODEL = "flowers"
URL = "http://localhost:8080/serving/default/flowers"


def main() -> None:
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    url = sys.argv[2] if len(sys.argv) > 2 else URL
    generator = np.random.default_rng(2026)
    rows = load_iris().data
    with Client(url) as client:
        for number in range(many):
            flower = generator.choice(rows, 1) + generator.normal(scale=0.1, size=(1, 4))
            if number % 2:
                client.infer(MODEL, {"measures": flower.round(2).tolist()})
            else:
                client.predict(MODEL, flower.round(2).tolist())
    print(f"asked {many} times")


if __name__ == "__main__":
    main()
