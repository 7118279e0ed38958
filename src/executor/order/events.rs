//! What records do to what others refer to: a value arrives or leaves with a record, a reference takes or drops it. From
//! these follows what has to come before what.

use super::circle::{Graph, Need};
use super::{AllParked, Op, PAGE, does_nothing, is_deferred, nulls};
use crate::database::Capabilities;
use crate::error::Result;
use crate::executor::names::name;
use crate::executor::receipt::{Image, Receipt};
use crate::model::{ForeignKey, OwnedCell, Schema};
use crate::plan::ActionKind;
use std::collections::{HashMap, HashSet};

/// How a reference can be done without for a while.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Opening {
    /// It can't.
    None,
    /// The engine checks it at the end of the transaction.
    Deferred,
    /// Its columns are null for the time being.
    Null(Vec<usize>),
}

/// A foreign key between tables of the group.
pub(super) struct Reference<'a> {
    pub(super) table: usize,
    pub(super) parent: usize,
    pub(super) key: &'a ForeignKey,
    /// How a reference of it is done without while what it refers to is not there yet.
    pub(super) taking: Opening,
    /// The same while what it refers to goes.
    pub(super) dropping: Opening,
}

/// A record that is written.
pub(super) struct Item {
    /// The number of its image.
    pub(super) id: i64,
    pub(super) table: usize,
    pub(super) kind: ActionKind,
    /// The columns that are null for a while.
    pub(super) opened: Vec<usize>,
    /// Which of its unique values are parked, by their position.
    pub(super) parks: Vec<usize>,
    /// The columns of these.
    pub(super) parked: Vec<usize>,
}

/// What a record does to a value that is referred to.
#[derive(Clone, Copy, PartialEq)]
enum Event {
    /// It has the value from then on.
    Arrives,
    /// It has it no longer.
    Leaves,
    /// It refers to it from then on.
    Takes,
    /// It refers to it no longer.
    Drops,
}

/// The records of a group, and what they do.
pub(super) struct Records<'a> {
    pub(super) schema: &'a Schema,
    pub(super) kinds: &'a [ActionKind],
    tables: &'a [usize],
    capabilities: Capabilities,
    parked: &'a AllParked,
    pub(super) references: Vec<Reference<'a>>,
    pub(super) items: Vec<Item>,
    events: Vec<(Event, usize, usize, u128)>,
    /// References that wait for the end of the transaction: the record's position and the reference's.
    waiting: HashSet<(usize, usize)>,
}

impl<'a> Records<'a> {
    pub(super) fn new(
        schema: &'a Schema,
        capabilities: Capabilities,
        kinds: &'a [ActionKind],
        tables: &'a [usize],
        parked: &'a AllParked,
    ) -> Self {
        let mut references = Vec::new();
        for &table in tables {
            let own = &schema.tables[table];
            for key in own.foreign_keys.iter().filter(|f| f.declared) {
                let Some(parent) = key.table.filter(|parent| tables.contains(parent)) else { continue };
                let deferred = is_deferred(key, capabilities);
                let null = || nulls(own, key).map_or(Opening::None, Opening::Null);
                // What happens to the children of a changed or deleted record is never deferred, except that nothing happens.
                let updates = kinds.contains(&ActionKind::Update) && !does_nothing(&key.on_update);
                let acts = updates || !does_nothing(&key.on_delete);
                let taking = if deferred { Opening::Deferred } else { null() };
                let dropping = if deferred && !acts { Opening::Deferred } else { null() };
                if kinds != [ActionKind::Insert] || taking != Opening::Deferred {
                    references.push(Reference { table, parent, key, taking, dropping });
                }
            }
        }
        let (items, events, waiting) = (Vec::new(), Vec::new(), HashSet::new());
        Self { schema, kinds, tables, capabilities, parked, references, items, events, waiting }
    }

    /// Tells whether the records need no order.
    pub(super) fn is_free(&self) -> bool {
        self.references.is_empty()
    }

    /// Returns the columns of each record that are null for a while.
    pub(super) fn opened(&self) -> impl Iterator<Item = (i64, Vec<usize>)> + '_ {
        self.items.iter().filter(|i| !i.opened.is_empty()).map(|i| (i.id, i.opened.clone()))
    }

    /// Reads the images and finds what each does.
    pub(super) fn load(&mut self, receipt: &Receipt) -> Result<()> {
        for (&kind, &table) in self.kinds.iter().flat_map(|kind| self.tables.iter().map(move |table| (kind, table))) {
            let mut after = (0, 0);
            loop {
                let images = receipt.ordered(kind, table, after, PAGE)?;
                let Some(last) = images.last() else { break };
                after = (last.level, last.id);
                images.iter().for_each(|image| self.add(image));
            }
        }
        Ok(())
    }

    fn add(&mut self, image: &Image) {
        let position = self.items.len();
        let (parks, parked) = self.parked.of_image(image.id).map(|(position, p)| (position, p.column)).unzip();
        self.items.push(Item { id: image.id, table: image.table, kind: image.kind, opened: Vec::new(), parks, parked });
        for (at, reference) in self.references.iter().enumerate() {
            let (columns, references) = (&reference.key.columns, &reference.key.references);
            let named = (reference.parent, references.as_slice());
            let mut note = |own: &[usize], comes: Event, goes: Event| {
                let of = |cells: &[OwnedCell]| name(self.schema, cells, (image.table, own), named);
                let (before, after) = (of(&image.before), of(&image.after));
                if before != after {
                    self.events.extend(before.map(|name| (goes, position, at, name)));
                    self.events.extend(after.map(|name| (comes, position, at, name)));
                }
            };
            if reference.parent == image.table {
                note(references, Event::Arrives, Event::Leaves);
            }
            if reference.table == image.table {
                note(columns, Event::Takes, Event::Drops);
            }
        }
    }

    /// Says what has to come before what, as the records are opened now.
    pub(super) fn graph(&self) -> Graph {
        let mut graph = Graph::of(&self.items);
        let mut parents: HashMap<(usize, u128), [Vec<usize>; 2]> = HashMap::new();
        for &(event, item, reference, name) in &self.events {
            match event {
                Event::Arrives => parents.entry((reference, name)).or_default()[0].push(item),
                Event::Leaves => parents.entry((reference, name)).or_default()[1].push(item),
                Event::Takes | Event::Drops => {}
            }
        }
        for &(event, child, at, name) in &self.events {
            let Some([arrives, leaves]) = parents.get(&(at, name)) else { continue };
            let reference = &self.references[at];
            let (columns, referred) = (&reference.key.columns, &reference.key.references);
            let need = Need::Reference { child, reference: at, takes: event == Event::Takes };
            match event {
                Event::Takes if reference.taking != Opening::Deferred => {
                    for &parent in arrives {
                        let (first, then) = ((parent, self.last(parent, referred)), (child, self.last(child, columns)));
                        if first != then || self.in_its_own_way(child, reference) {
                            graph.edge(first, then, need);
                        }
                    }
                }
                Event::Drops if !self.waiting.contains(&(child, at)) => {
                    for &parent in leaves {
                        let (first, then) =
                            ((child, self.first(child, columns)), (parent, self.first(parent, referred)));
                        if first != then || self.in_its_own_way(child, reference) {
                            graph.edge(first, then, need);
                        }
                    }
                }
                _ => {}
            }
        }
        let parked = self.parked.as_slice();
        let positions: HashMap<i64, usize> = match parked.is_empty() {
            true => HashMap::new(),
            false => self.items.iter().enumerate().map(|(position, item)| (item.id, position)).collect(),
        };
        for (item, park) in self.items.iter().enumerate().flat_map(|(p, i)| i.parks.iter().map(move |&park| (p, park)))
        {
            for taker in parked[park].takers.iter().filter_map(|id| positions.get(id)) {
                graph.edge((item, Op::Park), (*taker, Op::Main), Need::Room);
            }
        }
        graph
    }

    /// Tells whether the engine takes a record that refers to itself for its own child.
    fn in_its_own_way(&self, item: usize, reference: &Reference<'_>) -> bool {
        let action = match self.items[item].kind {
            ActionKind::Insert => return false,
            ActionKind::Update => &reference.key.on_update,
            ActionKind::Delete => &reference.key.on_delete,
        };
        !self.capabilities.deletes_self_references && !action.eq_ignore_ascii_case("CASCADE")
    }

    /// Returns what first takes the values of these columns away from a record.
    fn first(&self, item: usize, columns: &[usize]) -> Op {
        let item = &self.items[item];
        let parks = item.parked.iter().any(|c| columns.contains(c));
        match () {
            () if parks => Op::Park,
            () if item.kind != ActionKind::Insert && columns.iter().any(|c| item.opened.contains(c)) => Op::Open,
            () => Op::Main,
        }
    }

    /// Returns what gives a record the values of these columns.
    fn last(&self, item: usize, columns: &[usize]) -> Op {
        let item = &self.items[item];
        let opens = item.kind != ActionKind::Delete && columns.iter().any(|c| item.opened.contains(c));
        if opens { Op::Close } else { Op::Main }
    }

    /// Returns how a need of a record can be done without, if it was not done without already.
    pub(super) fn opening(&self, need: Need) -> Option<&Opening> {
        let Need::Reference { child, reference, takes } = need else { return None };
        let found = &self.references[reference];
        let opening = if takes { &found.taking } else { &found.dropping };
        match opening {
            Opening::None => None,
            Opening::Deferred => Some(opening),
            Opening::Null(columns) if columns.iter().all(|c| self.items[child].opened.contains(c)) => None,
            Opening::Null(_) => Some(opening),
        }
    }

    /// Does without a need.
    pub(super) fn do_without(&mut self, need: Need) {
        let Need::Reference { child, reference, .. } = need else { return };
        match self.opening(need).cloned() {
            Some(Opening::Null(columns)) => {
                let opened = &mut self.items[child].opened;
                opened.extend(columns);
                opened.sort_unstable();
                opened.dedup();
            }
            Some(Opening::Deferred) => {
                self.waiting.insert((child, reference));
            }
            Some(Opening::None) | None => {}
        }
    }
}
