//! Rules in text: one a line, fields separated by tabs.

use std::net::Ipv4Addr;
use std::path::Path;

use dpf_jit::{Classifier, Filter};

use crate::error::Failure;

/// A prefix of addresses; a length of 0 is any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    pub(crate) address: Ipv4Addr,
    pub(crate) len: u8,
}

/// One rule: TCP or UDP over IPv4.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) line: usize,
    pub(crate) id: u32,
    /// IP protocol number.
    pub(crate) protocol: u8,
    pub(crate) src: Prefix,
    pub(crate) dst: Prefix,
    pub(crate) sport: Option<u16>,
    pub(crate) dport: Option<u16>,
}

/// Reads a file of rules, in either format.
pub(crate) fn read(file: &Path) -> Result<Vec<Rule>, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| Failure::File { file: file.into(), error })?;
    parse(&text).map_err(|(line, message)| Failure::Line { file: file.into(), line, message })
}

/// Parses rules; a mistake with its line.
pub(crate) fn parse(text: &str) -> Result<Vec<Rule>, (usize, String)> {
    let mut rules = Vec::new();
    let mut mixed = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_end_matches('\r');
        let at = number + 1;
        if number == 0 && line.starts_with("id\t") {
            mixed = match line {
                "id\tshape\tsrc/len\tdst/len\tsport\tdport" => true,
                "id\tproto\tsip\tsport\tdip\tdport" => false,
                _ => return Err((at, format!("an unknown header, `{line}`"))),
            };
            continue;
        }
        if line.is_empty() {
            continue;
        }
        let fields: Vec<&str> = line.split('\t').collect();
        let parsed = if mixed { mixed_rule(at, &fields) } else { flow_rule(at, &fields) };
        rules.push(parsed.map_err(|message| (at, message))?);
    }
    Ok(rules)
}

fn flow_rule(line: usize, fields: &[&str]) -> Result<Rule, String> {
    let [id, protocol, sip, sport, dip, dport] = fields else {
        return Err(format!("{} fields; a rule has six: id proto sip sport dip dport", fields.len()));
    };
    let protocol = number(protocol, "protocol")?;
    if !matches!(protocol, 6 | 17) {
        return Err(format!("protocol {protocol}; rules are of TCP (6) or UDP (17)"));
    }
    let host = |text: &str, what| Ok::<_, String>(Prefix { address: address(text, what)?, len: 32 });
    Ok(Rule {
        line,
        id: number(id, "id")?,
        protocol,
        src: host(sip, "source")?,
        dst: host(dip, "destination")?,
        sport: Some(number(sport, "source port")?),
        dport: Some(number(dport, "destination port")?),
    })
}

fn mixed_rule(line: usize, fields: &[&str]) -> Result<Rule, String> {
    let [id, _shape, src, dst, sport, dport] = fields else {
        return Err(format!("{} fields; a rule has six: id shape src/len dst/len sport dport", fields.len()));
    };
    let port = |text: &str, what| if text == "-1" { Ok(None) } else { number(text, what).map(Some) };
    Ok(Rule {
        line,
        id: number(id, "id")?,
        protocol: 6,
        src: prefix(src, "source")?,
        dst: prefix(dst, "destination")?,
        sport: port(sport, "source port")?,
        dport: port(dport, "destination port")?,
    })
}

fn number<N: std::str::FromStr>(text: &str, what: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("{what} `{text}` is not a number in range"))
}

fn address(text: &str, what: &str) -> Result<Ipv4Addr, String> {
    text.parse().map_err(|_| format!("{what} `{text}` is not an IPv4 address"))
}

fn prefix(text: &str, what: &str) -> Result<Prefix, String> {
    let (host, len) = text.split_once('/').ok_or_else(|| format!("{what} `{text}` is not address/length"))?;
    let len = number(len, &format!("prefix length of the {what}"))?;
    if len > 32 {
        return Err(format!("prefix length {len} of the {what} is above 32"));
    }
    Ok(Prefix { address: address(host, what)?, len })
}

impl Rule {
    /// The rule as a filter that gives way to those of lesser lines.
    pub(crate) fn filter(&self) -> Result<Filter, dpf_jit::FilterError> {
        let mut builder = Filter::builder().priority(-(self.line as i32)).ipv4();
        builder = builder.src_v4(self.src.address, self.src.len).dst_v4(self.dst.address, self.dst.len);
        builder = if self.protocol == 17 { builder.udp() } else { builder.tcp() };
        if let Some(port) = self.sport {
            builder = builder.src_port(port);
        }
        if let Some(port) = self.dport {
            builder = builder.dst_port(port);
        }
        builder.build()
    }
}

/// Installs rules; the id of each rule by the index of its filter.
pub(crate) fn install(classifier: &mut Classifier, rules: &[Rule], file: &Path) -> Result<Vec<u32>, Failure> {
    let mut ids = Vec::new();
    for rule in rules {
        let at =
            |error: dpf_jit::Error| Failure::Line { file: file.into(), line: rule.line, message: error.to_string() };
        let id = classifier.insert(rule.filter().map_err(|error| at(error.into()))?).map_err(at)?;
        if id.index() >= ids.len() {
            ids.resize(id.index() + 1, 0);
        }
        ids[id.index()] = rule.id;
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_are_read() {
        let flows = parse("7\t17\t10.0.0.1\t5\t10.0.0.2\t6\n").unwrap();
        assert_eq!((flows[0].id, flows[0].protocol, flows[0].sport), (7, 17, Some(5)));
        let mixed = parse("id\tshape\tsrc/len\tdst/len\tsport\tdport\n3\t2\t10.1.0.0/24\t0.0.0.0/0\t-1\t80\n").unwrap();
        assert_eq!((mixed[0].src.len, mixed[0].sport, mixed[0].dport, mixed[0].line), (24, None, Some(80), 2));
    }

    #[test]
    fn mistakes_name_line_and_field() {
        let wrong = |text: &str| parse(text).map(|_| ()).unwrap_err();
        assert_eq!(
            wrong("0\t6\t10.0.0.1\t1\t10.0.0.2"),
            (1, "5 fields; a rule has six: id proto sip sport dip dport".into())
        );
        assert_eq!(wrong("\n0\t6\t10.0.0\t1\t10.0.0.2\t2").0, 2);
        assert!(wrong("0\t6\t10.0.0.1\t65536\t10.0.0.2\t2").1.contains("source port `65536`"));
        assert!(wrong("0\t1\t10.0.0.1\t1\t10.0.0.2\t2").1.contains("protocol 1"));
        assert!(wrong("id\tshape\n").1.contains("header"));
        let mixed = |line: &str| wrong(&format!("id\tshape\tsrc/len\tdst/len\tsport\tdport\n{line}"));
        assert_eq!(
            mixed("0\t0\t10.0.0.1/33\t0.0.0.0/0\t1\t1"),
            (2, "prefix length 33 of the source is above 32".into())
        );
        assert!(mixed("0\t0\t10.0.0.1\t0.0.0.0/0\t1\t1").1.contains("address/length"));
    }
}
