"""Without a cluster: what is wrong with objects in files (`validate`), what a cluster would make of them (`render`).

    files ─▶ manifests ─▶ kinds (schemas) ─▶ findings ─┐
                 └──────▶ world (configuration, runtimes) ─▶ checking ─▶ findings
                                                        └──▶ rendering ─▶ child objects

The rules are the controller's own (`resources.serving.validation`, `controlplane.serving.plan`): nothing is judged
twice. All of it is pure.
"""
