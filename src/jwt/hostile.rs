//! What must hold of whatever arrives as an assertion or as an issuer's keys: the bodies of fuzz targets, as those in `idp::hostile` (R35).
//!
//! Here, because both are read in this room and nowhere else. Compiled for tests only; a broken promise panics.

use jiff::Timestamp;

use super::algorithm::Algorithm;
use super::assertion::{ASSERTION_BYTES_MAX, Assertion, Pinned};
use super::keys::{Key, KeySet, SET_BYTES_MAX, SET_KEYS_MAX};

/// No text is an assertion of somebody: nobody has the other half of the keys that it is held against, whatever it claims and whenever that is.
pub fn assertion(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(read) = Assertion::read(text) else { return };
    assert!(text.len() <= ASSERTION_BYTES_MAX, "longer than may be read");
    assert_eq!(text.matches('.').count(), 2, "three parts");
    let audiences = ["https://rosterd.test".to_owned()];
    // What it says of itself is pinned, so that the signature alone stands between it and being believed.
    let pinned = Pinned {
        issuer: read.issuer(),
        subject: read.subject(),
        audiences: &audiences,
        algorithms: &Algorithm::ALL,
        lifetime_seconds_max: i64::MAX,
    };
    let key = Key::decoy(read.algorithm().key_kind());
    for now in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
        assert!(read.check(Some(&key), &pinned, now).is_err(), "believed without a signature");
        assert!(read.check(None, &pinned, now).is_err(), "believed without a key");
    }
    let nothing = Pinned { algorithms: &[], ..pinned };
    assert!(
        read.check(Some(&key), &nothing, Timestamp::UNIX_EPOCH).is_err(),
        "an algorithm that is not pinned"
    );
}

/// Keys are refused or read within their bounds, and none of them proves what it did not sign.
pub fn keys(bytes: &[u8]) {
    let Ok(set) = KeySet::parse(bytes) else { return };
    assert!(bytes.len() <= SET_BYTES_MAX && set.len() <= SET_KEYS_MAX, "more than may be read");
    for algorithm in Algorithm::ALL {
        if let Ok(key) = set.find(None, algorithm) {
            assert!(key.fits(algorithm), "a key for another algorithm");
            assert!(!key.proves(algorithm, "header.claims", "AAAA"), "proves what nobody signed");
        }
    }
}
