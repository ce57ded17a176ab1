"""`inferplane replay`: a file of records → requests to another model → what is different about its answers.

records (the file) → fit (is it for this model?) → load (the requests again) → answers and compare → summary →
report (terminal, JSON) and page (HTML).
"""
