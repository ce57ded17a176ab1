"""`inferplane autoscaler simulate`: from files and a load to a table, a chart and a picture.

`subject` reads what is simulated, `controlplane.autoscaling.simulate` does it, `report`, `chart` and `plot` show it.
"""
