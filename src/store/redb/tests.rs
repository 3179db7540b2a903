//! The store on disk.

use super::*;
use crate::store::suite::fixture::{T, person, put};
use crate::store::{Given, Outcome, Seq, Store};

#[test]
fn what_was_acknowledged_is_there_after_reopening() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("data");
    let ada = person(1, "ada");
    {
        let store = open(&folder, &RedbOptions::default()).unwrap();
        assert_eq!(store.commit(T, put(&ada)).unwrap(), Outcome::Committed { seq: Seq(1) });
        assert_eq!(store.snapshot().unwrap().get(T, ada.at).unwrap().unwrap().to_record().unwrap(), ada);
        let eve = person(2, "ada");
        let lost = Outcome::Lost(Given::Free(eve.unique[0].clone(), eve.at));
        assert_eq!(store.commit(T, put(&eve)).unwrap(), lost);
    }
    let store = open(&folder, &RedbOptions::default()).unwrap();
    assert_eq!(store.snapshot().unwrap().get(T, ada.at).unwrap().unwrap().to_record().unwrap(), ada);
}
