//! Which groups changed before or after a moment.
//!
//! A group changes with its document and with its edges, and shows the later of the two. Documents have an index of their own
//! (`index::GROUP_MODIFIED`). When edges last changed, the store lists by the quarter of an hour, whoever changed them: also where a member
//! was removed altogether, and also where the clock was set back, as neither time ever goes back. Within the quarter that is asked about the exact time is read.

use std::cmp::Ordering;

use jiff::Timestamp;

use super::{CANDIDATES_MAX, Candidates, Found, Planner};
use crate::ids::ResourceId;
use crate::roster::index;
use crate::scim::SortKey;
use crate::scim::filter::CompareOp;
use crate::store::{PAGE_ROWS_MAX, Quarter};

impl Planner<'_> {
    /// `meta.lastModified gt "2026-01-31T08:00:00Z"` of groups.
    pub(super) fn group_changed(&self, op: CompareOp, at: Timestamp) -> Found {
        if !index::has_orders(self.snapshot, self.caller.tenant)? {
            return Ok(None);
        }
        let key = SortKey::of_instant(at);
        let documents = |op| {
            let value = key.as_bytes().to_vec();
            self.between(index::GROUP_MODIFIED, op, value, key.least_alike(), key.greatest_alike())
        };
        match op {
            CompareOp::Gt => Ok(documents(op)?.zip(self.touched(at, Ordering::is_gt)?).map(either)),
            CompareOp::Ge => Ok(documents(op)?.zip(self.touched(at, Ordering::is_ge)?).map(either)),
            // Whose document is older and whose edges are not younger. Of too many with young edges, each is looked at.
            CompareOp::Lt => Ok(documents(op)?.zip(Some(self.touched(at, Ordering::is_ge)?)).map(without)),
            CompareOp::Le => Ok(documents(op)?.zip(Some(self.touched(at, Ordering::is_gt)?)).map(without)),
            // One of the two is from then, and the other may be later.
            CompareOp::Eq => {
                let found = documents(op)?.zip(self.touched(at, Ordering::is_eq)?).map(either);
                Ok(found.map(Candidates::maybe))
            }
            CompareOp::Ne | CompareOp::Co | CompareOp::Sw | CompareOp::Ew => Ok(None),
        }
    }

    /// Lists the groups whose edges last changed when it is wanted, compared with `at`; `None` where that is too many to be of help. Earlier than in its
    /// quarter of an hour is never looked.
    fn touched(&self, at: Timestamp, wanted: fn(Ordering) -> bool) -> Found {
        let tenant = self.caller.tenant;
        let quarter = Quarter::of(at);
        let mut ids: Vec<ResourceId> = Vec::new();
        let mut after = None;
        let mut read = 0_usize;
        loop {
            let page = self.snapshot.touched_since(tenant, quarter, after, PAGE_ROWS_MAX)?;
            for row in &page {
                let compared = if row.quarter > quarter {
                    Ordering::Greater
                } else {
                    match self.snapshot.touched(tenant, row.group)? {
                        Some(touched) => touched.at.cmp(&at),
                        None => continue,
                    }
                };
                if wanted(compared) {
                    ids.push(row.group);
                }
            }
            read = read.saturating_add(page.len());
            after = page.last().copied();
            // What comes later is wanted as a whole or not at all.
            let over = !wanted(Ordering::Greater) && after.is_some_and(|row| row.quarter > quarter);
            if over || page.len() < PAGE_ROWS_MAX {
                return Ok(Some(Candidates::new(ids, true)));
            }
            if read >= CANDIDATES_MAX {
                return Ok(None);
            }
        }
    }
}

fn either((documents, edges): (Candidates, Candidates)) -> Candidates {
    documents.or(edges)
}

fn without((mut documents, later): (Candidates, Option<Candidates>)) -> Candidates {
    match later {
        Some(later) => {
            documents.ids.retain(|id| later.ids.binary_search(id).is_err());
            documents
        }
        None => documents.maybe(),
    }
}
