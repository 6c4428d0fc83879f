//! The live pods that asked for a session, and what each was told of.

use jiff::Timestamp;

/// Pods in the order of their UIDs.
#[derive(Default)]
pub(super) struct Askers(Vec<Asker>);

struct Asker {
    uid: Box<str>,
    /// Of which credentials it was told that it has them: when those were got.
    told: Option<Timestamp>,
}

impl Askers {
    fn place(&self, uid: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|asker| (*asker.uid).cmp(uid))
    }

    pub(super) fn knows(&self, uid: &str) -> bool {
        self.place(uid).is_ok()
    }

    /// A pod asks.
    pub(super) fn join(&mut self, uid: &str) {
        if let Err(place) = self.place(uid) {
            self.0.insert(place, Asker { uid: uid.into(), told: None });
        }
    }

    /// Whether it is news that the pod has the credentials that were got at `issued`.
    pub(super) fn tell(&mut self, uid: &str, issued: Timestamp) -> bool {
        let asker = self.place(uid).ok().and_then(|place| self.0.get_mut(place));
        asker.is_none_or(|asker| asker.told.replace(issued) != Some(issued))
    }

    /// A pod is gone; says whether it was the last.
    pub(super) fn leave(&mut self, uid: &str) -> bool {
        let place = self.place(uid);
        place.is_ok_and(|place| {
            self.0.remove(place);
            self.0.is_empty()
        })
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(|asker| size_of::<Asker>() + asker.uid.len()).sum()
    }
}
