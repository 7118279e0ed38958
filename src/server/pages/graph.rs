//! The graph of the tables and what they refer to, as a picture: parents on the left, their classes as a bar in each.

use super::html::Html;
use super::words;
use crate::model::change::Counts;
use crate::plan::Plan;
use crate::report::html::escape;
use crate::report::text::short;
use std::fmt::Write as _;

/// Tables up to which all are drawn; of more only those in which something differs.
const ALL: usize = 40;
/// Tables that a picture can hold.
const MOST: usize = 120;
/// Tables one below the other; more of one rank stand in several columns.
const TALL: usize = 14;
const WIDTH: usize = 232;
const HEIGHT: usize = 54;
const GAP_X: usize = 64;
const GAP_Y: usize = 18;
/// Room above the tables for lines that pass over others, and to their left for lines that go around.
const ABOVE: usize = 34;
const OUTSIDE: usize = 24;

/// Draws the tables of an analysis; none where nothing refers to anything.
pub(super) fn graph(plan: &Plan, address: &dyn Fn(&str) -> String) -> Option<Html> {
    let meta = plan.meta();
    let differs = |c: &Counts| c.new + c.updated + c.conflict + c.blocked > 0;
    let shown: Vec<_> =
        meta.tables.iter().filter(|t| meta.tables.len() <= ALL || differs(&t.counts)).take(MOST).collect();
    let position = |schema_table: usize| shown.iter().position(|t| t.table == schema_table);
    let mut edges: Vec<(usize, usize)> = Vec::new();
    for (child, result) in shown.iter().enumerate() {
        for key in &meta.schema.tables[result.table].foreign_keys {
            if let Some(parent) = key.table.and_then(position)
                && parent != child
                && !edges.contains(&(child, parent))
            {
                edges.push((child, parent));
            }
        }
    }
    if edges.is_empty() {
        return None;
    }
    // Parents come first in the plan, so one pass in that order settles all ranks; an edge of a cycle goes the other way.
    let mut rank = vec![0_usize; shown.len()];
    for child in 0..shown.len() {
        rank[child] =
            edges.iter().filter(|(c, p)| *c == child && *p < child).map(|(_, p)| rank[*p] + 1).max().unwrap_or(0);
    }
    let ranks = rank.iter().max().copied().unwrap_or(0) + 1;
    // A rank begins behind all columns of the ones before it.
    let wide = |r: usize| rank.iter().filter(|x| **x == r).count().div_ceil(TALL).max(1);
    let first: Vec<usize> = (0..=ranks).map(|r| (0..r).map(wide).sum()).collect();
    let columns = first[ranks];
    let mut rows = vec![0_usize; ranks];
    // Room for what goes over or around is left only where something does.
    let far = edges.iter().any(|(child, parent)| rank[*child] > rank[*parent] + 1);
    let around = edges.iter().any(|(child, parent)| rank[*child] <= rank[*parent]);
    let (above, outside) = (if far { ABOVE } else { 4 }, if around { OUTSIDE } else { 0 });
    let places: Vec<(usize, usize)> = rank
        .iter()
        .map(|&r| {
            rows[r] += 1;
            let (column, row) = (first[r] + (rows[r] - 1) / TALL, (rows[r] - 1) % TALL);
            (8 + outside + column * (WIDTH + GAP_X), above + row * (HEIGHT + GAP_Y))
        })
        .collect();
    let tallest = rows.iter().max().copied().unwrap_or(1).min(TALL);
    let (width, height) =
        (16 + outside + columns * WIDTH + (columns - 1) * GAP_X, above + 8 + tallest * (HEIGHT + GAP_Y) - GAP_Y);
    let left_out = (meta.tables.len() - shown.len()) as u64;
    let note = if left_out == 0 {
        String::new()
    } else {
        format!("<p class=\"soft small\">{}</p>", words::not_drawn(left_out))
    };
    let mut svg = format!(
        "{note}<svg class=\"graph\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"group\" aria-label=\"Tables and what they refer to\">\
<defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto-start-reverse\"><path class=\"head\" d=\"M0 0 8 4 0 8z\"/></marker></defs>"
    );
    for (child, parent) in edges {
        let (from, to) = (places[child], places[parent]);
        let (x1, y1) = (from.0, from.1 + HEIGHT / 2);
        let path = match (rank[child] - rank[child].min(rank[parent]), x1) {
            // A table of the same or a later column: around its left side.
            (0, _) => format!("C{0} {y1} {0} {1} {2} {1}", x1 - 30, to.1 + HEIGHT / 2 + 8, to.0 - 2),
            (1, _) => {
                let (x2, y2) = (to.0 + WIDTH + 2, to.1 + HEIGHT / 2);
                format!("C{0} {y1} {0} {y2} {x2} {y2}", x1 - GAP_X / 2)
            }
            // Over what stands between them.
            (far, _) => {
                let top = to.1.min(from.1) - ABOVE.min(8 + far * 10);
                let x2 = to.0 + WIDTH + 2;
                let y2 = to.1 + HEIGHT / 4;
                let (y1, bend) = (from.1 + HEIGHT / 4, GAP_X * 2 / 3);
                format!(
                    "m0 -{7}C{0} {1} {0} {2} {3} {2}L{4} {2}C{5} {2} {5} {6} {x2} {6}",
                    x1 - bend,
                    y1,
                    top,
                    x1 - GAP_X,
                    x2 + GAP_X - 4,
                    x2 + bend / 2,
                    y2,
                    HEIGHT / 4
                )
            }
        };
        let _ = write!(svg, "<path class=\"edge\" marker-end=\"url(#head)\" d=\"M{x1} {y1}{path}\"/>");
    }
    for (result, &(x, y)) in shown.iter().zip(&places) {
        node(&mut svg, &result.name, &result.counts, &address(&result.name), x, y);
    }
    svg.push_str("</svg>");
    Some(Html::made(svg))
}

fn node(svg: &mut String, name: &str, counts: &Counts, link: &str, x: usize, y: usize) {
    let parts =
        [("new", counts.new), ("updated", counts.updated), ("conflict", counts.conflict), ("blocked", counts.blocked)];
    let said: Vec<String> = parts
        .iter()
        .filter(|p| p.1 > 0)
        .map(|(word, n)| format!("{} {} {}", words::sign(word), words::grouped(n), words::class(word)))
        .collect();
    let sub = if said.is_empty() { words::NOTHING_DIFFERS.to_owned() } else { said.join("  ") };
    let _ = write!(
        svg,
        "<a href=\"{}\"><rect class=\"node\" x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"9\"/>\
<text x=\"{}\" y=\"{}\">{}</text><text class=\"sub\" x=\"{}\" y=\"{}\">{}</text>",
        escape(link),
        x + 11,
        y + 20,
        escape(&short(name, 28)),
        x + 11,
        y + 37,
        escape(&short(&sub, 38)),
    );
    let total = counts.backup_records().max(1) as f64;
    let mut at = 0.0;
    for (word, n) in parts.into_iter().chain([("unchanged", counts.unchanged)]).filter(|p| p.1 > 0) {
        let width = (n as f64 / total * (WIDTH - 22) as f64).max(2.0);
        let left = (x + 11) as f64 + at;
        let width = width.min((WIDTH - 22) as f64 - at).max(0.0);
        let _ = write!(
            svg,
            "<rect class=\"f-{word}\" x=\"{left:.1}\" y=\"{}\" width=\"{width:.1}\" height=\"4\"/>",
            y + HEIGHT - 9
        );
        at += width;
    }
    svg.push_str("</a>");
}
