//! What waits in memory while both sides come in one order, and what does not.

use super::*;

/// Lets rows wait that are alone on their side, far beyond what may wait in one order; returns how many came out at the
/// end, and the most bytes that waited.
fn waited(coming: Coming) -> (u64, usize) {
    let join = Join { sides: vec![Side::Current, Side::Backup], keyless: false, budget_bytes: 4 * SIMILAR_BYTES };
    let mut joining = Joining::new(&join, "t");
    joining.coming(coming);
    let body = vec![7; 4_000];
    let (mut out, mut most) = (0, 0);
    for number in 0..(2 * SIMILAR_BYTES / body.len()) as u64 {
        let (key, side) = (number.to_be_bytes(), [Side::Current, Side::Backup][number as usize % 2]);
        let row = RowRef { key: &key, body: &body, place: Place { record: number, offset: None }, excluded: false };
        joining.alone(side, row, &mut |_| panic!("nothing meets")).expect("there is room");
        most = most.max(joining.waiting.bytes);
    }
    joining
        .finish(&mut |_| {
            out += 1;
            Ok(())
        })
        .expect("there is room");
    (out, most)
}

#[test]
fn rows_without_a_partner_wait_on_disk_where_both_sides_come_in_one_order() {
    let rows = (2 * SIMILAR_BYTES / 4_000) as u64;
    let (out, most) = waited(Coming::InOneOrder);
    assert_eq!(out, rows);
    assert!(most <= SIMILAR_BYTES + 8_000, "{most}");
    let (out, most) = waited(Coming::Otherwise);
    assert_eq!(out, rows);
    assert!(most > SIMILAR_BYTES, "in any other order they may still find one: {most}");
}
