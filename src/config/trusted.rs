//! Addresses of the proxies whose forwarded headers are believed (rows X38, X65).
//!
//! A network is an address and the number of its leading bits that count. Knows nothing of headers.

use std::fmt;
use std::net::IpAddr;

use super::text::{Text, quoted};

/// Fewest bits of an IPv4 network: a wider one would trust a good part of the internet.
const IPV4_BITS_MIN: u8 = 8;
/// Fewest bits of an IPv6 network.
const IPV6_BITS_MIN: u8 = 16;

/// One address, or all addresses that begin alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Reads `10.1.2.3`, `10.0.0.0/8` or `fd00::/16`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refused = || {
            format!("expected an address or a network such as 10.0.0.1 or 10.0.0.0/8, found {}", quoted(text))
        };
        let (address, bits) = match text.split_once('/') {
            None => (text, None),
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| refused())?)),
        };
        let written: IpAddr = address.parse().map_err(|_| refused())?;
        let address = written.to_canonical();
        if address != written && bits.is_some() {
            // The bits would count from the IPv6 form: nobody means that.
            return Err(refused());
        }
        let (least, most) = if address.is_ipv4() { (IPV4_BITS_MIN, 32) } else { (IPV6_BITS_MIN, 128) };
        let bits = bits.unwrap_or(most);
        if bits > most {
            return Err(refused());
        }
        if bits < least {
            return Err(format!("expected a network of /{least} or narrower, found {}", quoted(text)));
        }
        Ok(Self { address, bits })
    }

    /// Tells whether an address lies in the network. IPv4 written as IPv6 (`::ffff:10.0.0.1`) counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                let differ = ours.to_bits() ^ theirs.to_bits();
                differ.leading_zeros() >= u32::from(self.bits)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                let differ = ours.to_bits() ^ theirs.to_bits();
                differ.leading_zeros() >= u32::from(self.bits)
            }
            _ => false,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl Text for Network {
    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(network: &str, address: &str) -> bool {
        Network::parse(network).unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn x38_a_network_holds_the_addresses_that_begin_alike() {
        assert!(holds("10.0.0.0/8", "10.255.0.1"));
        assert!(!holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("10.1.2.3", "10.1.2.3"));
        assert!(!holds("10.1.2.3", "10.1.2.2"));
        assert!(holds("10.0.0.0/8", "::ffff:10.1.1.1"));
        assert!(holds("::ffff:10.1.2.3", "10.1.2.3"));
        assert!(holds("fd00::/16", "fd00:1::1"));
        assert!(!holds("fd00::/16", "fd01::1"));
        assert!(!holds("fd00::/16", "10.0.0.1"));
    }

    #[test]
    fn x38_nobody_trusts_the_whole_internet_by_mistake() {
        for wrong in [
            "0.0.0.0/0",
            "10.0.0.0/7",
            "::/0",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0",
            "::ffff:10.0.0.0/104",
            "",
        ] {
            assert!(Network::parse(wrong).is_err(), "{wrong}");
        }
    }
}
