//! How many sessions a node has in one network.

use serde::{Deserialize, Serialize};

/// How many sessions a node looks for in one network, and how many it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "(u16, u16)", into = "(u16, u16)")]
pub struct Neighbourhood {
    seek: u16,
    keep: u16,
}

/// These numbers make no neighbourhood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NeighbourhoodFault {
    /// It would dial nobody.
    #[error("a node looks for one neighbour at least")]
    Nobody,
    /// Whoever dials would push out whom others dialled.
    #[error("a node keeps at least four times as many as it looks for: {}", u32::from(*.seek) * 4)]
    Narrow {
        /// What is looked for.
        seek: u16,
        /// What is kept.
        keep: u16,
    },
    /// The transport has no such number of connections.
    #[error("a node keeps at most {KEEP_MAX}")]
    Wide {
        /// What is kept.
        keep: u16,
    },
}

impl Neighbourhood {
    /// What a node has unless its configuration says otherwise: a mesh of 65 is a full one, and a
    /// mesh of 10,000 costs each node 256 sessions at most, a quarter of the transport's
    /// connections; so pings stay under 60 KB a second.
    pub const DEFAULT: Self = Self {
        seek: 64,
        keep: 256,
    };

    /// A neighbourhood of these numbers.
    ///
    /// # Errors
    /// If `seek` is 0, or `keep` under four times that or over [`KEEP_MAX`]. Each session has two
    /// ends, so a mesh in which everybody dials `seek` others has twice that on average; as much
    /// again is room for whoever comes, and for a node that many have heard of.
    pub const fn new(seek: u16, keep: u16) -> Result<Self, NeighbourhoodFault> {
        if seek == 0 {
            return Err(NeighbourhoodFault::Nobody);
        }
        if (keep as u32) < seek as u32 * 4 {
            return Err(NeighbourhoodFault::Narrow { seek, keep });
        }
        if keep > KEEP_MAX {
            return Err(NeighbourhoodFault::Wide { keep });
        }
        Ok(Self { seek, keep })
    }

    /// With fewer sessions a node dials whom it has heard of.
    #[must_use]
    pub const fn seek(self) -> usize {
        self.seek as usize
    }

    /// With more sessions a node lets some go.
    #[must_use]
    pub const fn keep(self) -> usize {
        self.keep as usize
    }
}

impl TryFrom<(u16, u16)> for Neighbourhood {
    type Error = NeighbourhoodFault;

    fn try_from((seek, keep): (u16, u16)) -> Result<Self, NeighbourhoodFault> {
        Self::new(seek, keep)
    }
}

impl From<Neighbourhood> for (u16, u16) {
    fn from(Neighbourhood { seek, keep }: Neighbourhood) -> Self {
        (seek, keep)
    }
}

/// Sessions that may be kept: the transport has 1,024 connections for all networks, of which 128
/// are for those that knock.
pub const KEEP_MAX: u16 = 896;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbourhood_has_room_for_those_that_come() {
        use NeighbourhoodFault::{Narrow, Nobody, Wide};
        let of = |seek, keep| Neighbourhood::new(seek, keep).map(|_| ());
        assert_eq!(of(1, 4), Ok(()));
        assert_eq!(of(224, 896), Ok(()));
        assert_eq!(of(0, 4), Err(Nobody));
        assert_eq!(of(3, 11), Err(Narrow { seek: 3, keep: 11 }));
        assert_eq!(of(1, 897), Err(Wide { keep: 897 }));
        assert_eq!(
            of(u16::MAX, 896),
            Err(Narrow {
                seek: u16::MAX,
                keep: 896
            })
        );
        let (seek, keep) = Neighbourhood::DEFAULT.into();
        assert_eq!(Neighbourhood::new(seek, keep), Ok(Neighbourhood::DEFAULT));
    }

    #[test]
    fn bytes_that_are_none_are_an_error() {
        let bytes = postcard::to_stdvec(&(3_u16, 11_u16)).unwrap();
        assert!(postcard::from_bytes::<Neighbourhood>(&bytes).is_err());
        let bytes = postcard::to_stdvec(&Neighbourhood::DEFAULT).unwrap();
        let read: Neighbourhood = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(read, Neighbourhood::DEFAULT);
    }
}
