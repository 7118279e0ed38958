//! Finding a backup's names in the current schema: exactly, else after folding case, snake/camel and plural.

/// What a look-up found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// The same name.
    Exact(usize),
    /// The only name that is the same after folding.
    Folded(usize),
    /// Several names are the same after folding.
    Ambiguous(Vec<usize>),
    /// None; the nearest names by spelling, best first.
    None(Vec<usize>),
}

/// Folds a name: lower case, no separators, singular.
///
/// `RoomAllocation`, `room_allocations` and `roomAllocations` fold to one; so do `sMSVerification` and `sms_verifications`.
pub fn fold(name: &str) -> String {
    let mut folded: String =
        name.chars().filter(|c| !matches!(c, '_' | '-' | ' ' | '.')).flat_map(char::to_lowercase).collect();
    for (plural, singular) in
        [("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("zzes", "zz")]
    {
        if let Some(stem) = folded.strip_suffix(plural)
            && stem.len() > 1
        {
            return format!("{stem}{singular}");
        }
    }
    if folded.len() > 2
        && folded.ends_with('s')
        && !folded.ends_with("ss")
        && !folded.ends_with("us")
        && !folded.ends_with("is")
    {
        folded.pop();
    }
    folded
}

/// Looks a name up among candidates.
pub fn find<'a>(name: &str, candidates: impl Iterator<Item = &'a str> + Clone) -> Match {
    if let Some(position) = candidates.clone().position(|c| c == name) {
        return Match::Exact(position);
    }
    let folded = fold(name);
    let same: Vec<usize> = candidates.clone().enumerate().filter(|(_, c)| fold(c) == folded).map(|(i, _)| i).collect();
    match same.as_slice() {
        [only] => Match::Folded(*only),
        [] => {
            let mut near: Vec<(usize, usize)> = candidates
                .enumerate()
                .map(|(i, c)| (strsim::damerau_levenshtein(&fold(c), &folded), i))
                .filter(|(d, _)| *d <= 2.max(folded.len() / 3))
                .collect();
            near.sort_unstable();
            Match::None(near.into_iter().take(3).map(|(_, i)| i).collect())
        }
        _ => Match::Ambiguous(same),
    }
}

/// Tells whether a name is one that says when a record was last changed: `updated_at`, `updatedAt`, `modified…`.
pub fn is_updated_name(name: &str) -> bool {
    const NAMES: [&str; 20] = [
        "updatedat",
        "updated",
        "modifiedat",
        "modified",
        "lastmodified",
        "lastmodifiedat",
        "lastupdated",
        "lastupdate",
        "updatetime",
        "updatedon",
        "modifiedon",
        "dateupdated",
        "datemodified",
        "changedat",
        "modifieddate",
        "updateddate",
        "lastupdatedat",
        "modificationdate",
        "modifiedtime",
        "mtime",
    ];
    NAMES.contains(&fold(name).as_str())
}

/// Tells whether a name is one that says when a record was made: `created_at`, `createdAt`, `date_joined` …
pub fn is_created_name(name: &str) -> bool {
    const NAMES: [&str; 10] = [
        "createdat",
        "created",
        "createdon",
        "creationdate",
        "createddate",
        "datecreated",
        "createtime",
        "insertedat",
        "datejoined",
        "creationtime",
    ];
    NAMES.contains(&fold(name).as_str())
}

/// Tells whether a name is one that marks a record as deleted without removing it: `deleted_at`, `is_deleted` …
pub fn is_deleted_name(name: &str) -> bool {
    const NAMES: [&str; 7] =
        ["deletedat", "deletedon", "deleted", "isdeleted", "removedat", "trashedat", "datedeleted"];
    NAMES.contains(&fold(name).as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_fold_together() {
        for (a, b) in [
            ("User", "users"),
            ("RoomAllocation", "room_allocations"),
            ("createdAt", "created_at"),
            ("SMSVerification", "sms_verifications"),
            ("Category", "categories"),
            ("Address", "addresses"),
            ("Box", "boxes"),
            ("Bus", "bus"),
        ] {
            assert_eq!(fold(a), fold(b), "{a} {b}");
        }
        for (a, b) in [("status", "statu"), ("User", "users_archive"), ("class", "clas")] {
            assert_ne!(fold(a), fold(b), "{a} {b}");
        }
    }

    #[test]
    fn exact_wins_and_two_candidates_are_ambiguous() {
        let names = ["users", "Users", "rooms"];
        assert_eq!(find("users", names.into_iter()), Match::Exact(0));
        assert_eq!(find("user", names.into_iter()), Match::Ambiguous(vec![0, 1]));
        assert_eq!(find("Room", names.into_iter()), Match::Folded(2));
        assert_eq!(find("roms", names.into_iter()), Match::None(vec![2]));
    }
}
