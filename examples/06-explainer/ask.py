"""Asks why, and prints the answer as a sum: python ask.py [HOST:PORT]"""

import json
import sys
import urllib.request

FLOWERS = ("setosa", "versicolor", "virginica")
ROW = [6.8, 2.8, 4.8, 1.4]

url = f"http://{sys.argv[1] if sys.argv[1:] else 'localhost:8080'}/v1/models/forest:explain"
with urllib.request.urlopen(url, json.dumps({"instances": [ROW]}).encode()) as answer:
    found = json.load(answer)
[one] = found["explanations"]
sums = [base + sum(values) for base, values in zip(one["base_values"], one["shap_values"], strict=True)]
best = max(range(3), key=sums.__getitem__)
print(f"{FLOWERS[best]} {sums[best]:.2f}")
print(f"  on average    {one['base_values'][best]:.2f}")
for name, value in zip(found["feature_names"], one["shap_values"][best], strict=True):
    print(f"  {name:13} {value:+.2f}")
