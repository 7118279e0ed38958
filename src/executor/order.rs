//! The order of records (CHECKS F50): what is referred to is there before what refers to it, and goes after it.
//!
//! Tables come in the order of their foreign keys, so that records need one only inside tables that refer to themselves or
//! to each other. Where an update changes what others refer to, inserts, updates and deletions depend on each other, and
//! the records of all tables that are connected get one order ([`Mixed`]).
//!
//! Records that wait for each other in a circle are opened at a nullable reference: it is null until all are there. What
//! the engine checks at the end of the transaction needs no order. A circle that neither opens is refused before anything
//! is written.

mod circle;
mod events;

use super::prepare::AllParked;
use super::receipt::{Image, Receipt};
use crate::analyzer::graph;
use crate::database::Capabilities;
use crate::error::Result;
use crate::model::{ForeignKey, Schema, Table};
use crate::plan::ActionKind;
use events::Records;
use std::collections::{BTreeMap, BTreeSet, HashMap};

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

/// Connected tables of which inserts, updates and deletions go level by level.
#[derive(Debug, Default)]
pub(super) struct Mixed {
    /// Positions of the tables.
    pub(super) tables: Vec<usize>,
    /// The highest level.
    pub(super) last: usize,
    /// What happens besides at a level.
    pub(super) besides: BTreeMap<usize, Besides>,
}

/// What happens at a level besides the records being written.
#[derive(Debug, Default)]
pub(super) struct Besides {
    /// Which unique values are parked, by their position.
    pub(super) parks: Vec<usize>,
    /// The images whose references are made null.
    pub(super) opens: Vec<i64>,
    /// The images whose references are set.
    pub(super) closes: Vec<i64>,
}

/// The order of writing.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// Parents before children; the records of a group by their level.
    pub(super) groups: Vec<Group>,
    /// Tables that are not in a group.
    pub(super) mixed: Vec<Mixed>,
    /// The columns of a record that are null for a while: at first where it is inserted, before it goes where it is deleted.
    pub(super) opened: HashMap<i64, Vec<usize>>,
}

impl Order {
    /// Returns the columns of an image that are null for a while.
    pub(super) fn opened(&self, image: &Image) -> &[usize] {
        self.opened.get(&image.id).map_or(&[], Vec::as_slice)
    }
}

/// What happens to a record, in this sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Op {
    /// A unique value makes room.
    Park,
    /// References become null.
    Open,
    /// It is inserted, updated or deleted.
    Main,
    /// References are set.
    Close,
}

/// Finds the order of everything that a receipt says is to be written, and notes the levels in it.
///
/// # Errors
/// `Refused` naming the circle that can't be opened.
///
/// *Complexity:* memory for the records of tables that refer to themselves or each other, and of those connected with one
/// of which an update changes what others refer to; nothing for others.
pub(super) fn order(
    schema: &Schema,
    planned: &[usize],
    capabilities: Capabilities,
    parked: &AllParked,
    receipt: &mut Receipt,
) -> Result<Order> {
    let graph::Order { tables, cycles } = graph::order(schema);
    let moving = moving(schema, planned, capabilities, parked, receipt)?;
    let mut order = Order::default();
    for tables in moving {
        let kinds = [ActionKind::Insert, ActionKind::Update, ActionKind::Delete];
        let mut records = Records::new(schema, capabilities, &kinds, &tables, parked);
        records.load(receipt)?;
        let arranged = records.arrange().map_err(|circle| records.refused(receipt, &circle))?;
        let mut mixed = Mixed { tables: tables.clone(), ..Mixed::default() };
        for (op, item, level) in arranged.levels(&records) {
            mixed.last = mixed.last.max(level);
            if op == Op::Main {
                if level > 0 {
                    receipt.set_level(item.id, level)?;
                }
                continue;
            }
            let besides = mixed.besides.entry(level).or_default();
            match op {
                Op::Park => besides.parks.extend(&item.parks),
                Op::Open => besides.opens.push(item.id),
                Op::Main | Op::Close => besides.closes.push(item.id),
            }
        }
        order.opened.extend(records.opened());
        order.mixed.push(mixed);
    }
    let alone = |t: &usize| planned.contains(t) && !order.mixed.iter().any(|m| m.tables.contains(t));
    let mut groups: Vec<Group> = Vec::new();
    for table in tables.into_iter().filter(alone) {
        let cycle = cycles.iter().find(|c| c.contains(&table));
        match (cycle, groups.last_mut()) {
            (Some(cycle), Some(group)) if cycle.contains(&group.tables[0]) => group.tables.push(table),
            _ => groups.push(Group { tables: vec![table], ..Group::default() }),
        }
    }
    let nothing = AllParked::default();
    for group in &mut groups {
        for kind in [ActionKind::Insert, ActionKind::Delete] {
            let kinds = [kind];
            let mut records = Records::new(schema, capabilities, &kinds, &group.tables, &nothing);
            if records.is_free() {
                continue;
            }
            records.load(receipt)?;
            let arranged = records.arrange().map_err(|circle| records.refused(receipt, &circle))?;
            let mut last = 0;
            for (_, item, level) in arranged.levels(&records).filter(|(op, ..)| *op == Op::Main) {
                last = last.max(level);
                if level > 0 {
                    receipt.set_level(item.id, level)?;
                }
            }
            order.opened.extend(records.opened());
            match kind {
                ActionKind::Delete => group.last_delete = last,
                ActionKind::Insert | ActionKind::Update => group.last_insert = last,
            }
        }
    }
    order.groups = groups;
    Ok(order)
}

/// Finds the tables whose records need one order whatever is done with them: those connected by foreign keys with one of
/// which an update, or a parked value, changes what others refer to.
fn moving(
    schema: &Schema,
    planned: &[usize],
    capabilities: Capabilities,
    parked: &AllParked,
    receipt: &Receipt,
) -> Result<Vec<Vec<usize>>> {
    let mut of_table: BTreeMap<usize, BTreeSet<&[usize]>> = BTreeMap::new();
    let mut neighbours: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for &child in planned {
        for key in schema.tables[child].foreign_keys.iter().filter(|f| f.declared) {
            let Some(parent) = key.table.filter(|p| planned.contains(p)) else { continue };
            neighbours.entry(child).or_default().insert(parent);
            neighbours.entry(parent).or_default().insert(child);
            let fixed = &schema.tables[parent].key;
            let waits = is_deferred(key, capabilities) && does_nothing(&key.on_update) && does_nothing(&key.on_delete);
            if !waits && key.references.iter().any(|c| !fixed.contains(c)) {
                of_table.entry(parent).or_default().insert(&key.references);
            }
        }
    }
    let mut moving: Vec<Vec<usize>> = Vec::new();
    for (&table, references) in &of_table {
        if moving.iter().any(|m| m.contains(&table)) || !moves(table, references, parked, receipt)? {
            continue;
        }
        let (mut connected, mut open) = (BTreeSet::from([table]), vec![table]);
        while let Some(table) = open.pop() {
            let next = neighbours.get(&table).into_iter().flatten();
            open.extend(next.copied().filter(|&n| connected.insert(n)));
        }
        // In the order of all tables, which is as good as any inside a level.
        moving.push(planned.iter().copied().filter(|t| connected.contains(t)).collect());
    }
    Ok(moving)
}

/// Tells whether a table's records change what others refer to.
fn moves(table: usize, references: &BTreeSet<&[usize]>, parked: &AllParked, receipt: &Receipt) -> Result<bool> {
    let referred = |column: &usize| references.iter().any(|columns| columns.contains(column));
    if parked.as_slice().iter().any(|p| p.table == table && referred(&p.column)) {
        return Ok(true);
    }
    let mut after = (0, 0);
    loop {
        let images = receipt.ordered(ActionKind::Update, table, after, PAGE)?;
        let Some(last) = images.last() else { return Ok(false) };
        after = (last.level, last.id);
        if images.iter().any(|i| i.columns.iter().any(|c| referred(c) && i.before[*c] != i.after[*c])) {
            return Ok(true);
        }
    }
}

/// Tells whether the engine checks a foreign key at the end of the transaction.
pub(super) fn is_deferred(key: &ForeignKey, capabilities: Capabilities) -> bool {
    capabilities.defers_all_foreign_keys || (key.deferrable && capabilities.defers_declared)
}

/// Tells whether the engine leaves the children alone when a record is changed or deleted.
fn does_nothing(action: &str) -> bool {
    action.is_empty() || action.eq_ignore_ascii_case("NO ACTION")
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
