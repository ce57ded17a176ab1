"""Validation rules of custom kinds: `x-kubernetes-validations`, written in the Common Expression Language.

    schema ─▶ declared ─▶ checker ─▶ syntax tree ─▶ cost        when a CRD is written: is every rule sound and cheap?
                                          └──────▶ evaluation   when an object is written: does every rule hold?

`definition.rule_errors` is the first, `rules.Rules` the second. Parsing and type checking are the `cel-expr-python`
package's; what Kubernetes adds to the language (its functions, its cost model, its messages) is here. Why:
docs/decisions/0017-validation-rules.md.
"""
