//! Laying records out in levels, and doing without a reference where they wait for each other in a circle.

use super::Op;
use super::events::{Item, Opening, Records};
use crate::error::{Error, fail};
use crate::executor::receipt::Receipt;
use crate::plan::ActionKind;
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::{BTreeMap, HashMap};

/// Why something has to come before something else.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Need {
    /// It happens to one record.
    Sequence,
    /// A unique value makes room.
    Room,
    /// What a record refers to is there when it takes the reference, and until it drops it.
    Reference {
        /// The record's position.
        child: usize,
        /// The reference's position.
        reference: usize,
        /// Whether it takes the reference.
        takes: bool,
    },
}

/// One thing that comes before another; both are positions of nodes.
#[derive(Clone, Copy)]
pub(super) struct Edge {
    first: usize,
    then: usize,
    need: Need,
}

/// Things that wait for each other; the edges walked.
pub(super) type Circle = Vec<Edge>;

/// What happens to the records, and what has to come before what.
pub(super) struct Graph {
    /// The record's position and what happens to it; the first of them are what is mainly done, by the record's position.
    nodes: Vec<(usize, Op)>,
    besides: HashMap<(usize, Op), usize>,
    edges: Vec<Edge>,
}

impl Graph {
    /// Makes a graph in which only the things that happen to one record have a sequence.
    pub(super) fn of(items: &[Item]) -> Self {
        let nodes = (0..items.len()).map(|item| (item, Op::Main)).collect();
        let mut graph = Self { nodes, besides: HashMap::new(), edges: Vec::new() };
        for (position, item) in items.iter().enumerate() {
            let mut ops = Vec::new();
            ops.extend((!item.opened.is_empty() && item.kind != ActionKind::Insert).then_some(Op::Open));
            ops.extend((!item.parks.is_empty()).then_some(Op::Park));
            // Where one column is both, what is made null is the value that stands in.
            if item.parked.iter().any(|c| item.opened.contains(c)) {
                ops.reverse();
            }
            ops.push(Op::Main);
            ops.extend((!item.opened.is_empty() && item.kind != ActionKind::Delete).then_some(Op::Close));
            for &op in ops.iter().filter(|op| **op != Op::Main) {
                graph.besides.insert((position, op), graph.nodes.len());
                graph.nodes.push((position, op));
            }
            for pair in ops.windows(2) {
                graph.edge((position, pair[0]), (position, pair[1]), Need::Sequence);
            }
        }
        graph
    }

    /// Says that one thing has to come before another.
    pub(super) fn edge(&mut self, first: (usize, Op), then: (usize, Op), need: Need) {
        let node = |(item, op): (usize, Op)| if op == Op::Main { item } else { self.besides[&(item, op)] };
        let (first, then) = (node(first), node(then));
        self.edges.push(Edge { first, then, need });
    }

    /// Lays the nodes out in levels; those in circles, or after one, are stuck.
    fn layers(&self) -> (Vec<usize>, Vec<bool>) {
        let count = self.nodes.len();
        let (mut waiting, mut followers) = (vec![0usize; count], vec![Vec::new(); count]);
        for edge in &self.edges {
            waiting[edge.then] += 1;
            followers[edge.first].push(edge.then);
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
}

/// The nodes with their levels.
pub(super) struct Arranged {
    nodes: Vec<(usize, Op)>,
    levels: Vec<usize>,
}

impl Arranged {
    /// Lists what happens to which record at which level.
    pub(super) fn levels<'r>(&'r self, records: &'r Records<'_>) -> impl Iterator<Item = (Op, &'r Item, usize)> {
        self.nodes.iter().zip(&self.levels).map(|(&(item, op), &level)| (op, &records.items[item], level))
    }
}

impl Records<'_> {
    /// Gives everything its level, opening circles where that is possible.
    pub(super) fn arrange(&mut self) -> Result<Arranged, Circle> {
        loop {
            let graph = self.graph();
            let (levels, stuck) = graph.layers();
            if !stuck.contains(&true) {
                return Ok(Arranged { nodes: graph.nodes, levels });
            }
            self.open(&graph, &stuck)?;
        }
    }

    /// Does without one foreign key in each circle.
    fn open(&mut self, graph: &Graph, stuck: &[bool]) -> Result<(), Circle> {
        let mut waits = DiGraph::<usize, ()>::new();
        let mut places: BTreeMap<usize, NodeIndex> = BTreeMap::new();
        for edge in graph.edges.iter().filter(|e| stuck[e.first] && stuck[e.then]) {
            let mut place = |node: usize| *places.entry(node).or_insert_with(|| waits.add_node(node));
            let (first, then) = (place(edge.first), place(edge.then));
            waits.update_edge(first, then, ());
        }
        let mut circle_of: HashMap<usize, usize> = HashMap::new();
        let is_circle = |members: &Vec<NodeIndex>| members.len() > 1 || waits.contains_edge(members[0], members[0]);
        for (circle, members) in tarjan_scc(&waits).into_iter().filter(is_circle).enumerate() {
            circle_of.extend(members.into_iter().map(|m| (waits[m], circle)));
        }
        let inside =
            |edge: &Edge| circle_of.get(&edge.first).filter(|c| circle_of.get(&edge.then) == Some(*c)).copied();
        let mut chosen: HashMap<usize, (bool, usize)> = HashMap::new();
        for edge in &graph.edges {
            let (Some(circle), Some(opening)) = (inside(edge), self.opening(edge.need)) else { continue };
            let Need::Reference { reference, .. } = edge.need else { continue };
            // What is deferred costs nothing; otherwise the first foreign key is as good as any.
            let cost = (*opening != Opening::Deferred, reference);
            let best = chosen.entry(circle).or_insert(cost);
            *best = cost.min(*best);
        }
        if let Some(edge) = graph.edges.iter().find(|e| inside(e).is_some_and(|c| !chosen.contains_key(&c))) {
            return Err(self.walk(graph, *edge, &|e| inside(e).is_some() && inside(e) == inside(edge)));
        }
        let done_without = |edge: &Edge| match (inside(edge), edge.need) {
            (Some(circle), Need::Reference { reference, .. }) => chosen[&circle].1 == reference,
            _ => false,
        };
        let needs: Vec<Need> = graph.edges.iter().filter(|e| done_without(e)).map(|e| e.need).collect();
        needs.into_iter().for_each(|need| self.do_without(need));
        Ok(())
    }

    /// Tells in which direction a circle is told: from what refers to what is referred to.
    fn ends(&self, edge: &Edge) -> (usize, usize) {
        if self.kinds == [ActionKind::Delete] { (edge.first, edge.then) } else { (edge.then, edge.first) }
    }

    /// Walks from an edge until it comes round.
    fn walk(&self, graph: &Graph, from: Edge, within: &dyn Fn(&Edge) -> bool) -> Circle {
        let mut path: Vec<Edge> = vec![from];
        while let Some(last) = path.last().copied() {
            let end = self.ends(&last).1;
            if let Some(start) = path.iter().position(|e| self.ends(e).0 == end) {
                return self.told(graph, path.split_off(start));
            }
            match graph.edges.iter().find(|e| self.ends(e).0 == end && within(e)) {
                Some(next) => path.push(*next),
                None => break,
            }
        }
        self.told(graph, path)
    }

    /// Leaves of a circle what people are told, by the records' positions.
    fn told(&self, graph: &Graph, circle: Circle) -> Circle {
        let by_record = |e: Edge| Edge { first: graph.nodes[e.first].0, then: graph.nodes[e.then].0, need: e.need };
        circle.into_iter().map(by_record).filter(|e| e.need != Need::Sequence).collect()
    }

    pub(super) fn refused(&self, receipt: &Receipt, circle: &Circle) -> Error {
        let label = |item: usize| self.schema.tables[self.items[item].table].label();
        let mut path: Vec<String> = Vec::new();
        let mut records: Vec<String> = Vec::new();
        for edge in circle {
            if let Need::Reference { child, reference, .. } = edge.need {
                let key = &self.references[reference].key;
                let columns = self.schema.tables[self.references[reference].table].names(&key.columns).join("+");
                path.push(format!("{}.{columns}", label(child)));
            }
            records.push(self.shown(receipt, self.ends(edge).0));
        }
        if let Some(first) = circle.first() {
            path.push(label(self.ends(first).0));
            records.push(self.shown(receipt, self.ends(first).0));
        }
        let what = match self.kinds {
            [ActionKind::Delete] => "deleted",
            [ActionKind::Insert] => "inserted",
            _ => "written",
        };
        fail!(Refused, "records that refer to each other can't be {what} one after the other: {}", path.join(" → "))
            .details(vec![records.join(" → ")])
            .hint("Leave one of them out, or make one of these references nullable or deferrable.")
    }

    fn shown(&self, receipt: &Receipt, item: usize) -> String {
        let Item { id, table, .. } = self.items[item];
        let table = &self.schema.tables[table];
        let image = receipt.page(id - 1, 1).ok().and_then(|mut page| page.pop());
        let key = image.map(|i| crate::executor::write::shown(table, &i.key)).unwrap_or_default();
        format!("{}/{key}", table.label())
    }
}
