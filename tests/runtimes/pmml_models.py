"""PMML models that tests serve, and what they answer by hand."""

from typing import Any

import numpy as np

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4">
  <Header><Application name="by hand"/></Header>"""

TREE = f"""{HEAD}
  <DataDictionary>
    <DataField name="species" optype="categorical" dataType="string">
      <Value value="setosa"/><Value value="versicolor"/>
    </DataField>
    <DataField name="length" optype="continuous" dataType="double">
      <Interval closure="closedClosed" leftMargin="0" rightMargin="10"/>
    </DataField>
    <DataField name="colour" optype="categorical" dataType="string">
      <Value value="red"/><Value value="blue"/>
    </DataField>
  </DataDictionary>
  <TreeModel functionName="classification" splitCharacteristic="binarySplit">
    <MiningSchema>
      <MiningField name="species" usageType="target"/><MiningField name="length"/><MiningField name="colour"/>
    </MiningSchema>
    <Output>
      <OutputField name="probability(setosa)" optype="continuous" dataType="double" feature="probability"
        value="setosa"/>
      <OutputField name="node" optype="categorical" dataType="string" feature="entityId"/>
    </Output>
    <Node id="1">
      <True/>
      <Node id="2" score="setosa">
        <CompoundPredicate booleanOperator="and">
          <SimplePredicate field="length" operator="lessThan" value="2.5"/>
          <SimplePredicate field="colour" operator="equal" value="red"/>
        </CompoundPredicate>
        <ScoreDistribution value="setosa" recordCount="6"/><ScoreDistribution value="versicolor" recordCount="0"/>
      </Node>
      <Node id="3" score="versicolor">
        <True/>
        <ScoreDistribution value="setosa" recordCount="1"/><ScoreDistribution value="versicolor" recordCount="3"/>
      </Node>
    </Node>
  </TreeModel>
</PMML>
"""

ROWS: list[list[Any]] = [[1.0, "red"], [1.0, "blue"], [7.25, "red"], [None, "red"]]
RECORDS = [{"length": length, "colour": colour} for length, colour in ROWS]
BY_HAND = [
    {"species": "setosa", "probability(setosa)": 1.0, "node": "2"},
    {"species": "versicolor", "probability(setosa)": 0.25, "node": "3"},
    {"species": "versicolor", "probability(setosa)": 0.25, "node": "3"},
    {"species": "versicolor", "probability(setosa)": 0.25, "node": "3"},
]

TENSORS = {
    "colour": np.array(["red", "blue", "red", "red"], dtype=object),
    "length": np.array([1.0, 1.0, 7.25, np.nan]),
}
