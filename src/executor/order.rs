//! The order of records inside tables that refer to themselves or to each other (CHECKS F50): parents are inserted before
//! their children and deleted after them.
//!
//! Records that refer to each other in a circle are opened at a nullable reference: it is written as null first and set
//! when all are there. What the engine checks at the end of the transaction needs no order. A circle that neither opens is
//! refused before anything is written.

use super::receipt::{Image, Receipt};
use crate::analyzer::graph;
use crate::database::Capabilities;
use crate::error::{Error, Result, fail};
use crate::model::{ForeignKey, OwnedCell, Schema, Table, encode};
use crate::plan::ActionKind;
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::{BTreeMap, HashMap};

/// Images read in one go.
const PAGE: usize = 500;

/// Tables that are written together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    /// Positions of the tables; more than one only where they refer to each other.
    pub(super) tables: Vec<usize>,
    /// The highest level of the records that are inserted.
    pub(super) last_insert: usize,
    /// The highest level of the records that are deleted.
    pub(super) last_delete: usize,
}

/// The order of writing.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// Parents before children; the records of a group by their level.
    pub(super) groups: Vec<Group>,
    /// The columns that are null at first in an inserted record, and before its deletion in one that is deleted.
    pub(super) opened: HashMap<i64, Vec<usize>>,
}

/// Finds the order of everything that a receipt says is to be written, and notes the levels in it.
///
/// # Errors
/// `Refused` naming the circle that can't be opened.
///
/// *Complexity:* memory for the records of tables that refer to themselves or each other; nothing for others.
pub(super) fn order(
    schema: &Schema,
    planned: &[usize],
    capabilities: Capabilities,
    receipt: &mut Receipt,
) -> Result<Order> {
    let graph::Order { tables, cycles } = graph::order(schema);
    let mut order = Order::default();
    for table in tables.into_iter().filter(|t| planned.contains(t)) {
        let cycle = cycles.iter().find(|c| c.contains(&table));
        match (cycle, order.groups.last_mut()) {
            (Some(cycle), Some(group)) if cycle.contains(&group.tables[0]) => group.tables.push(table),
            _ => order.groups.push(Group { tables: vec![table], ..Group::default() }),
        }
    }
    let mut groups = std::mem::take(&mut order.groups);
    for group in &mut groups {
        for kind in [ActionKind::Insert, ActionKind::Delete] {
            let mut records = Records::new(schema, capabilities, kind, &group.tables);
            if records.references.is_empty() {
                continue;
            }
            records.load(receipt)?;
            let levels = records.levels(&mut order.opened).map_err(|circle| records.refused(receipt, &circle))?;
            for (&(id, _), &level) in records.nodes.iter().zip(&levels).filter(|(_, level)| **level > 0) {
                receipt.set_level(id, level)?;
            }
            let last = levels.into_iter().max().unwrap_or(0);
            match kind {
                ActionKind::Delete => group.last_delete = last,
                ActionKind::Insert | ActionKind::Update => group.last_insert = last,
            }
        }
    }
    order.groups = groups;
    Ok(order)
}

/// How a reference of a circle can be done without for a while.
#[derive(Clone, Debug, PartialEq)]
enum Opening {
    /// It can't.
    None,
    /// The engine checks it at the end of the transaction.
    Deferred,
    /// Its columns are null for the time being.
    Null(Vec<usize>),
}

/// A foreign key between tables of the group.
struct Reference<'a> {
    table: usize,
    key: &'a ForeignKey,
    opening: Opening,
}

/// A reference of one record to another; both are positions in `nodes`.
#[derive(Clone, Copy)]
struct Edge {
    child: usize,
    parent: usize,
    reference: usize,
}

/// Records that refer to each other; the edges walked.
type Circle = Vec<Edge>;

struct Records<'a> {
    schema: &'a Schema,
    kind: ActionKind,
    tables: &'a [usize],
    capabilities: Capabilities,
    references: Vec<Reference<'a>>,
    /// Number and table of each image.
    nodes: Vec<(i64, usize)>,
    edges: Vec<Edge>,
}

impl<'a> Records<'a> {
    fn new(schema: &'a Schema, capabilities: Capabilities, kind: ActionKind, tables: &'a [usize]) -> Self {
        let mut references = Vec::new();
        for &table in tables {
            let own = &schema.tables[table];
            let inside = |f: &&ForeignKey| f.declared && f.table.is_some_and(|parent| tables.contains(&parent));
            for key in own.foreign_keys.iter().filter(inside) {
                let deferred = capabilities.defers_all_foreign_keys || (key.deferrable && capabilities.defers_declared);
                // What happens to the children of a deleted record is never deferred, except that nothing happens.
                let acts = kind == ActionKind::Delete && !key.on_delete.eq_ignore_ascii_case("NO ACTION");
                let opening = match nulls(own, key) {
                    _ if deferred && !acts => Opening::Deferred,
                    Some(columns) => Opening::Null(columns),
                    None => Opening::None,
                };
                if kind == ActionKind::Delete || opening != Opening::Deferred {
                    references.push(Reference { table, key, opening });
                }
            }
        }
        Self { schema, kind, tables, capabilities, references, nodes: Vec::new(), edges: Vec::new() }
    }

    /// Reads the images and finds which refers to which.
    fn load(&mut self, receipt: &Receipt) -> Result<()> {
        let mut named: HashMap<u128, usize> = HashMap::new();
        let mut refers: Vec<(usize, usize, u128)> = Vec::new();
        for &table in self.tables {
            let mut after = (0, 0);
            loop {
                let images = receipt.ordered(self.kind, table, after, PAGE)?;
                let Some(last) = images.last() else { break };
                after = (last.level, last.id);
                for image in &images {
                    let node = self.nodes.len();
                    self.nodes.push((image.id, table));
                    for (position, reference) in self.references.iter().enumerate() {
                        let parent = reference.key.table.expect("only references inside the group are kept");
                        let columns = (&reference.key.columns, &reference.key.references);
                        if parent == table
                            && let Some(name) = self.name(image, (table, columns.1), (parent, columns.1))
                        {
                            named.insert(name, node);
                        }
                        if reference.table == table
                            && let Some(name) = self.name(image, (table, columns.0), (parent, columns.1))
                        {
                            refers.push((node, position, name));
                        }
                    }
                }
            }
        }
        for (child, reference, name) in refers {
            let Some(&parent) = named.get(&name) else { continue };
            let cascades = self.references[reference].key.on_delete.eq_ignore_ascii_case("CASCADE");
            let in_its_own_way =
                self.kind == ActionKind::Delete && !self.capabilities.deletes_self_references && !cascades;
            if parent != child || in_its_own_way {
                self.edges.push(Edge { child, parent, reference });
            }
        }
        Ok(())
    }

    /// Returns a digest of what a reference names, or of a record's own name for it; none where a part is null.
    fn name(&self, image: &Image, own: (usize, &[usize]), parent: (usize, &[usize])) -> Option<u128> {
        let cells: &[OwnedCell] = if self.kind == ActionKind::Delete { &image.before } else { &image.after };
        let mut bytes = format!("{}:{:?}:", parent.0, parent.1).into_bytes();
        for (&column, &named) in own.1.iter().zip(parent.1) {
            let value = encode::value_of(cells[column].as_cell(), &self.schema.tables[own.0].columns[column])?;
            if value.is_null() {
                return None;
            }
            let collation = self.schema.tables[parent.0].columns[named].collation;
            encode::encode_key_part(&value, collation, &mut bytes);
        }
        let digest = blake3::hash(&bytes);
        Some(u128::from_be_bytes(digest.as_bytes()[..16].try_into().expect("a digest has 32 bytes")))
    }

    /// Gives each record its level, opening circles where that is possible.
    fn levels(&mut self, opened: &mut HashMap<i64, Vec<usize>>) -> Result<Vec<usize>, Circle> {
        loop {
            let (levels, stuck) = self.layers();
            if !stuck.contains(&true) {
                return Ok(levels);
            }
            self.open(&stuck, opened)?;
        }
    }

    /// Returns the record that comes first, and the one that comes after it.
    fn sequence(&self, edge: &Edge) -> (usize, usize) {
        if self.kind == ActionKind::Delete { (edge.child, edge.parent) } else { (edge.parent, edge.child) }
    }

    /// Lays the records out in levels; those in circles, or after one, are stuck.
    fn layers(&self) -> (Vec<usize>, Vec<bool>) {
        let count = self.nodes.len();
        let (mut waiting, mut followers) = (vec![0usize; count], vec![Vec::new(); count]);
        for edge in &self.edges {
            let (first, then) = self.sequence(edge);
            waiting[then] += 1;
            followers[first].push(then);
        }
        let mut levels = vec![0; count];
        let mut ready: Vec<usize> = (0..count).filter(|&n| waiting[n] == 0).collect();
        while let Some(node) = ready.pop() {
            for &then in &followers[node] {
                levels[then] = levels[then].max(levels[node] + 1);
                waiting[then] -= 1;
                if waiting[then] == 0 {
                    ready.push(then);
                }
            }
        }
        (levels, waiting.into_iter().map(|left| left > 0).collect())
    }

    /// Does without one foreign key in each circle.
    fn open(&mut self, stuck: &[bool], opened: &mut HashMap<i64, Vec<usize>>) -> Result<(), Circle> {
        let mut graph = DiGraph::<usize, ()>::new();
        let mut places: BTreeMap<usize, NodeIndex> = BTreeMap::new();
        for edge in self.edges.iter().filter(|e| stuck[e.child] && stuck[e.parent]) {
            let mut place = |node: usize| *places.entry(node).or_insert_with(|| graph.add_node(node));
            let (child, parent) = (place(edge.child), place(edge.parent));
            graph.update_edge(child, parent, ());
        }
        let mut circle_of: HashMap<usize, usize> = HashMap::new();
        let is_circle = |members: &Vec<NodeIndex>| members.len() > 1 || graph.contains_edge(members[0], members[0]);
        for (circle, members) in tarjan_scc(&graph).into_iter().filter(is_circle).enumerate() {
            circle_of.extend(members.into_iter().map(|m| (graph[m], circle)));
        }
        let inside =
            |edge: &Edge| circle_of.get(&edge.child).filter(|c| circle_of.get(&edge.parent) == Some(*c)).copied();
        let mut chosen: HashMap<usize, usize> = HashMap::new();
        for edge in &self.edges {
            let (Some(circle), false) = (inside(edge), self.references[edge.reference].opening == Opening::None) else {
                continue;
            };
            // What is deferred costs nothing; otherwise the first foreign key is as good as any.
            let cost = |r: usize| (self.references[r].opening != Opening::Deferred, r);
            let best = chosen.entry(circle).or_insert(edge.reference);
            if cost(edge.reference) < cost(*best) {
                *best = edge.reference;
            }
        }
        if let Some(edge) = self.edges.iter().find(|e| inside(e).is_some_and(|c| !chosen.contains_key(&c))) {
            return Err(self.walk(*edge, &|e| inside(e).is_some() && inside(e) == inside(edge)));
        }
        let mut kept = Vec::with_capacity(self.edges.len());
        for edge in &self.edges {
            if inside(edge).is_none_or(|circle| chosen[&circle] != edge.reference) {
                kept.push(*edge);
            } else if let Opening::Null(columns) = &self.references[edge.reference].opening {
                let of_image = opened.entry(self.nodes[edge.child].0).or_default();
                let new: Vec<usize> = columns.iter().copied().filter(|c| !of_image.contains(c)).collect();
                of_image.extend(new);
                of_image.sort_unstable();
            }
        }
        self.edges = kept;
        Ok(())
    }

    /// Walks from an edge until it comes round.
    fn walk(&self, from: Edge, within: &dyn Fn(&Edge) -> bool) -> Circle {
        let mut path: Vec<Edge> = vec![from];
        while let Some(last) = path.last().copied() {
            if let Some(start) = path.iter().position(|e| e.child == last.parent) {
                return path.split_off(start);
            }
            match self.edges.iter().find(|e| e.child == last.parent && within(e)) {
                Some(next) => path.push(*next),
                None => break,
            }
        }
        path
    }

    fn refused(&self, receipt: &Receipt, circle: &Circle) -> Error {
        let label = |node: usize| self.schema.tables[self.nodes[node].1].label();
        let mut path: Vec<String> = Vec::new();
        let mut records: Vec<String> = Vec::new();
        for edge in circle {
            let reference = &self.references[edge.reference];
            let columns = self.schema.tables[reference.table].names(&reference.key.columns).join("+");
            path.push(format!("{}.{columns}", label(edge.child)));
            records.push(self.shown(receipt, edge.child));
        }
        if let Some(first) = circle.first() {
            path.push(label(first.child));
            records.push(self.shown(receipt, first.child));
        }
        let what = if self.kind == ActionKind::Delete { "deleted" } else { "inserted" };
        fail!(Refused, "records that refer to each other can't be {what} one after the other: {}", path.join(" → "))
            .details(vec![records.join(" → ")])
            .hint("Leave one of them out, or make one of these references nullable or deferrable.")
    }

    fn shown(&self, receipt: &Receipt, node: usize) -> String {
        let (id, table) = self.nodes[node];
        let table = &self.schema.tables[table];
        let image = receipt.page(id - 1, 1).ok().and_then(|mut page| page.pop());
        image.map_or_else(|| table.label(), |image| super::write::shown(table, &image.key))
    }
}

/// Returns the columns of a foreign key that can be null so that it refers to nothing.
fn nulls(table: &Table, key: &ForeignKey) -> Option<Vec<usize>> {
    let free = |c: &usize| table.columns[*c].nullable && table.columns[*c].writable() && !table.key.contains(c);
    // All where possible: a foreign key that matches in full takes no half of a reference.
    if key.columns.iter().all(free) {
        return Some(key.columns.clone());
    }
    key.columns.iter().copied().find(free).map(|column| vec![column])
}
