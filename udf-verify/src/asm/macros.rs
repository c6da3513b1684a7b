//! Macros: `.macro NAME a, b … .endm`, used as `NAME x, y`. In the body `\a`, or the bare name, is the argument.

use std::collections::HashMap;
use std::rc::Rc;

use super::AsmError;
use super::lexer::{Kind, Token};
use crate::opcode::Op;

/// Macros within macros.
const MAX_DEPTH: usize = 16;
/// Tokens after expansion, so that macros that double cannot fill the memory.
const MAX_TOKENS: usize = 1 << 20;

struct Macro {
    parameters: Vec<String>,
    body: Rc<[Vec<Token>]>,
}

/// A macro that is being expanded.
struct Expansion {
    body: Rc<[Vec<Token>]>,
    next: usize,
    arguments: HashMap<String, Vec<Token>>,
}

/// Replaces definitions and uses of macros.
pub(super) fn expand(lines: Vec<Vec<Token>>, text: &str) -> Result<Vec<Vec<Token>>, AsmError> {
    let mut macros: HashMap<String, Macro> = HashMap::new();
    let mut out = Vec::new();
    let mut tokens = 0;
    let mut lines = lines.into_iter();
    while let Some(line) = lines.next() {
        match &line[0].kind {
            Kind::Directive(name) if name == "macro" => {
                let (name, definition) = define(&line, &mut lines, text)?;
                let Kind::Word(word) = &name.kind else { unreachable!("define gives a word") };
                if macros.insert(word.clone(), definition).is_some() {
                    return Err(AsmError::new(text, name.place, format!("the macro `{word}` is defined twice")));
                }
            }
            Kind::Directive(name) if is_end(name) => {
                return Err(AsmError::new(text, line[0].place, format!("`.{name}` without `.macro`")));
            }
            Kind::Word(word) if macros.contains_key(word) => {
                expand_use(&line, &macros, text, &mut out, &mut tokens)?;
            }
            _ => out.push(line),
        }
    }
    Ok(out)
}

fn is_end(directive: &str) -> bool {
    matches!(directive, "endm" | "endmacro")
}

/// The rest of a definition whose first line is given.
fn define(
    head: &[Token],
    lines: &mut impl Iterator<Item = Vec<Token>>,
    text: &str,
) -> Result<(Token, Macro), AsmError> {
    let usage = "write `.macro NAME a, b`, the body in lines of its own, and `.endm`";
    let error = |place, message: String| Err(AsmError::new(text, place, message).help(usage));
    let Some(name) = head.get(1) else { return error(head[0].place, "a macro needs a name".to_owned()) };
    let Kind::Word(word) = &name.kind else {
        return error(name.place, format!("`{}` cannot name a macro", name.text()));
    };
    if Op::from_mnemonic(word).is_some() || word == "if" {
        return error(name.place, format!("`{word}` is an instruction and cannot name a macro"));
    }
    let mut parameters = Vec::new();
    for token in head[2..].iter().filter(|token| !token.is(",")) {
        match &token.kind {
            Kind::Word(name) | Kind::Parameter(name) if !parameters.contains(name) => parameters.push(name.clone()),
            _ => return error(token.place, format!("`{}` cannot name a parameter here", token.text())),
        }
    }
    let mut body = Vec::new();
    for line in lines {
        match &line[0].kind {
            Kind::Directive(directive) if is_end(directive) => {
                return Ok((name.clone(), Macro { parameters, body: body.into() }));
            }
            Kind::Directive(name) if name == "macro" => {
                return error(line[0].place, "a macro cannot be defined within a macro".to_owned());
            }
            _ => body.push(line),
        }
    }
    error(head[0].place, format!("the macro `{word}` has no end"))
}

fn expand_use(
    line: &[Token],
    macros: &HashMap<String, Macro>,
    text: &str,
    out: &mut Vec<Vec<Token>>,
    tokens: &mut usize,
) -> Result<(), AsmError> {
    let mut stack = vec![start(line, macros, text)?];
    while let Some(top) = stack.last_mut() {
        let Some(line) = top.body.get(top.next) else {
            stack.pop();
            continue;
        };
        top.next += 1;
        let mut expanded = Vec::with_capacity(line.len());
        for token in line {
            match &token.kind {
                Kind::Parameter(name) => match top.arguments.get(name) {
                    Some(argument) => expanded.extend(argument.iter().cloned()),
                    None => {
                        return Err(AsmError::new(text, token.place, format!("`\\{name}` is no parameter here"))
                            .nearest(name, top.arguments.keys().map(String::as_str)));
                    }
                },
                Kind::Word(name) if top.arguments.contains_key(name) => {
                    expanded.extend(top.arguments[name].iter().cloned());
                }
                _ => expanded.push(token.clone()),
            }
        }
        *tokens += expanded.len() + 1;
        let place = line[0].place;
        if *tokens > MAX_TOKENS {
            return Err(AsmError::new(text, place, format!("macros expand to more than {MAX_TOKENS} tokens")));
        }
        let is_use = |token: &Token| matches!(&token.kind, Kind::Word(word) if macros.contains_key(word));
        match expanded.first() {
            Some(first) if is_use(first) => {
                if stack.len() == MAX_DEPTH {
                    let message = format!("macros are nested more than {MAX_DEPTH} deep");
                    return Err(AsmError::new(text, place, message).help("does the macro use itself?"));
                }
                stack.push(start(&expanded, macros, text)?);
            }
            Some(_) => out.push(expanded),
            None => {}
        }
    }
    Ok(())
}

/// The expansion that a use starts.
fn start(line: &[Token], macros: &HashMap<String, Macro>, text: &str) -> Result<Expansion, AsmError> {
    let Kind::Word(name) = &line[0].kind else { unreachable!("a use starts with the macro's name") };
    let Macro { parameters, body } = &macros[name];
    let mut arguments: Vec<Vec<Token>> = Vec::new();
    if line.len() > 1 {
        arguments.push(Vec::new());
    }
    let mut depth = 0;
    for token in &line[1..] {
        depth += i32::from(token.is("(") || token.is("[")) - i32::from(token.is(")") || token.is("]"));
        if depth == 0 && token.is(",") {
            arguments.push(Vec::new());
        } else if let Some(argument) = arguments.last_mut() {
            argument.push(token.clone());
        }
    }
    if arguments.len() != parameters.len() {
        let (expected, found) = (parameters.len(), arguments.len());
        let message = format!("the macro `{name}` takes {expected} arguments, {found} are given");
        return Err(AsmError::new(text, line[0].place, message)
            .help(format!("write `{}`", format!("{name} {}", parameters.join(", ")).trim())));
    }
    let arguments = parameters.iter().cloned().zip(arguments).collect();
    Ok(Expansion { body: body.clone(), next: 0, arguments })
}
