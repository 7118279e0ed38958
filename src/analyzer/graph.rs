//! The order of tables by their foreign keys: parents before children, cycles named.

use crate::model::Schema;
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

/// The order in which tables are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Table positions, parents first.
    pub tables: Vec<usize>,
    /// Groups of tables that refer to each other, each in the order of `tables`.
    pub cycles: Vec<Vec<usize>>,
}

/// Orders the tables of a schema; equal input gives equal output.
///
/// A reference of a table to itself is no cycle here: it orders records, not tables.
pub fn order(schema: &Schema) -> Order {
    let mut graph = DiGraph::<usize, ()>::new();
    let nodes: Vec<NodeIndex> = (0..schema.tables.len()).map(|t| graph.add_node(t)).collect();
    for (child, table) in schema.tables.iter().enumerate() {
        for parent in table.foreign_keys.iter().filter_map(|f| f.table).filter(|&p| p != child) {
            graph.update_edge(nodes[child], nodes[parent], ());
        }
    }
    // Tarjan returns components in reverse topological order of the edges child → parent: parents first.
    let components = tarjan_scc(&graph);
    let mut tables = Vec::new();
    let mut cycles = Vec::new();
    for component in components {
        let mut members: Vec<usize> = component.into_iter().map(|n| graph[n]).collect();
        members.sort_unstable();
        if members.len() > 1 {
            cycles.push(members.clone());
        }
        tables.extend(members);
    }
    Order { tables, cycles }
}

/// Returns the tables that the given ones refer to, directly or through others, themselves included.
pub fn with_ancestors(schema: &Schema, chosen: &[usize]) -> Vec<bool> {
    let mut needed = vec![false; schema.tables.len()];
    let mut open: Vec<usize> = chosen.to_vec();
    while let Some(table) = open.pop() {
        if !std::mem::replace(&mut needed[table], true) {
            open.extend(schema.tables[table].foreign_keys.iter().filter_map(|f| f.table));
        }
    }
    needed
}

/// Writes a cycle as a path of columns: `a.b_id → b.a_id → a`.
pub fn describe_cycle(schema: &Schema, members: &[usize]) -> String {
    let mut path = Vec::new();
    let mut at = members[0];
    let mut visited = vec![at];
    loop {
        let table = &schema.tables[at];
        let next = table.foreign_keys.iter().find_map(|f| {
            let parent = f.table.filter(|p| *p != at && members.contains(p))?;
            Some((parent, f))
        });
        let Some((parent, foreign_key)) = next else { break };
        path.push(format!("{}.{}", table.label(), table.names(&foreign_key.columns).join("+")));
        if visited.contains(&parent) {
            path.push(schema.tables[parent].label());
            break;
        }
        visited.push(parent);
        at = parent;
    }
    path.join(" → ")
}
