"""Servers that are not ours, started in a pod as their images start them: TorchServe and Triton.

What their images do beside the server (a wrapper that speaks KServe's protocols, paths of back ends) is done here.
"""
