//! Which elements of a record's lists something holds for.

use std::collections::BTreeSet;

/// Places in lists, each as the indices met on the way there, outermost first. The empty place is the
/// record as a whole: all that lies outside of lists.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Bindings(BTreeSet<Vec<usize>>);

impl Bindings {
    /// The record as a whole.
    pub(super) fn whole() -> Self {
        Self(BTreeSet::from([Vec::new()]))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, place: &[usize]) {
        if !self.0.contains(place) {
            self.0.insert(place.to_vec());
        }
    }

    /// What both hold for. What holds for the record as a whole holds for each of its elements.
    pub(super) fn and(self, other: Self) -> Self {
        if self.0.contains(&[][..]) {
            other
        } else if other.0.contains(&[][..]) {
            self
        } else {
            Self(self.0.intersection(&other.0).cloned().collect())
        }
    }

    /// What either holds for.
    pub(super) fn or(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Whether the place is one of these or lies within one.
    pub(super) fn cover(&self, place: &[usize]) -> bool {
        (0..=place.len()).any(|depth| self.0.contains(&place[..depth]))
    }

    /// How many of these have nothing found in them. The record as a whole has something as soon as
    /// anything was found anywhere; an element must be met exactly.
    pub(super) fn count_missing(&self, found: &Self) -> usize {
        let missing = |place: &&Vec<usize>| if place.is_empty() { found.is_empty() } else { !found.0.contains(*place) };
        self.0.iter().filter(missing).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places<const N: usize>(places: [&[usize]; N]) -> Bindings {
        Bindings(places.into_iter().map(<[usize]>::to_vec).collect())
    }

    #[test]
    fn both_is_the_intersection_and_the_whole_record_is_neutral() {
        let (one, other) = (places([&[0], &[1]]), places([&[1], &[2]]));
        assert_eq!(one.clone().and(other.clone()), places([&[1]]));
        assert_eq!(one.clone().and(Bindings::whole()), one);
        assert_eq!(Bindings::whole().and(other.clone()), other);
        assert!(places([&[0]]).and(places([&[1]])).is_empty());
        // Lists of different depths are different lists.
        assert!(places([&[0]]).and(places([&[0, 1]])).is_empty());
    }

    #[test]
    fn either_is_the_union() {
        assert_eq!(places([&[0]]).or(Bindings::whole()), places([&[], &[0]]));
    }

    #[test]
    fn a_place_is_covered_by_what_it_lies_within() {
        let bound = places([&[1], &[2, 0]]);
        assert!(bound.cover(&[1]) && bound.cover(&[1, 7]) && bound.cover(&[2, 0]));
        assert!(!bound.cover(&[]) && !bound.cover(&[0]) && !bound.cover(&[2]) && !bound.cover(&[2, 1]));
        assert!(Bindings::whole().cover(&[]) && Bindings::whole().cover(&[4]));
        assert!(!Bindings::default().cover(&[]));
    }

    #[test]
    fn an_element_misses_its_key_unless_met_exactly() {
        let bound = places([&[], &[0], &[1]]);
        assert_eq!(bound.count_missing(&Bindings::default()), 3);
        assert_eq!(bound.count_missing(&places([&[1]])), 1);
        assert_eq!(places([&[0]]).count_missing(&places([&[0, 3]])), 1);
        assert_eq!(Bindings::whole().count_missing(&places([&[0, 3]])), 0);
    }
}
