//! An interpreter of expressions, and the compiler that it turns into.
//!
//! `(x + 3) * -x / 2` becomes instructions of a stack machine. The interpreter is *threaded*: the code of each instruction ends
//! with a jump to that of the next one, by a table of labels. The compiler runs the same instructions on a stack of code.

use std::str::FromStr;

use tickc::prelude::*;

use crate::text_error::TextError;

/// The instructions, by number; `#` pushes the number behind it, `~` negates, `.` ends.
const INSTRUCTIONS: &str = "#x~+-*/.";
type Interpreter = fn(Slice<i64>, SliceMut<i64>, i64) -> i64;
type Compiled = fn(i64) -> i64;

fn number_of(instruction: char) -> i64 {
    INSTRUCTIONS.find(instruction).map_or(-1, |number| number as i64)
}

/// An expression as instructions.
#[derive(Clone, Debug)]
pub struct Program(Vec<i64>);

impl FromStr for Program {
    type Err = TextError;
    fn from_str(text: &str) -> Result<Self, TextError> {
        let mut parser = Parser { chars: text.chars().collect(), at: 0, words: Vec::new() };
        let parsed = parser.level(0, 0).and_then(|()| if parser.peek() == '\0' { Ok(()) } else { Err("an operator") });
        let (end, at) = (parser.chars.len(), parser.at);
        let error =
            |what| TextError { text: text.into(), place: at..end.min(at + 1), message: format!("expected {what}") };
        parser.words.push(number_of('.'));
        parsed.map(|()| Program(parser.words)).map_err(error)
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    words: Vec<i64>,
}

impl Parser {
    /// The next character; NUL at the end.
    fn peek(&mut self) -> char {
        self.at += self.chars[self.at..].iter().take_while(|c| c.is_whitespace()).count();
        self.chars.get(self.at).copied().unwrap_or('\0')
    }

    /// A sum (level 0), a product (1) or an operand (2); an error is what was expected instead.
    fn level(&mut self, level: usize, depth: u32) -> Result<(), &'static str> {
        if level < 2 {
            self.level(level + 1, depth)?;
            while let c = self.peek()
                && ["+-", "*/"][level].contains(c)
            {
                self.at += 1;
                self.level(level + 1, depth)?;
                self.words.push(number_of(c));
            }
            return Ok(());
        }
        let start = self.peek();
        if start.is_ascii_digit() {
            let digits: String = self.chars[self.at..].iter().take_while(|c| c.is_ascii_digit()).collect();
            self.words.extend([number_of('#'), digits.parse().map_err(|_| "an integer of 64 bits")?]);
            self.at += digits.len();
            return Ok(());
        }
        self.at += usize::from("x-(".contains(start));
        match start {
            'x' => self.words.push(number_of('x')),
            _ if depth == 500 => return Err("at most 500 levels"),
            '-' => {
                self.level(2, depth + 1)?;
                self.words.push(number_of('~'));
            }
            '(' => {
                self.level(0, depth + 1)?;
                self.at += if self.peek() == ')' { 1 } else { return Err("`)`") };
            }
            _ => return Err("x, `(`, `-` or an integer"),
        }
        Ok(())
    }
}

/// What an operator does, in the interpreter and in the compiler.
fn operate<'a>(operator: char, a: Code<'a, i64>, b: Code<'a, i64>) -> Code<'a, i64> {
    match operator {
        '+' => tick!(@a + @b),
        '-' => tick!(@a - @b),
        '*' => tick!(@a * @b),
        _ => tick!(@a / @b),
    }
}

/// The interpreter: of instructions, a stack for them, and x.
fn interpreter(jit: &Jit) -> Result<Func<Interpreter>, tickc::Error> {
    let labels = [(); 8].map(|()| Label::new());
    let (pc, top) = (Var::<usize>::local(), Var::<usize>::local());
    let next = |code: Var<Slice<i64>>| tick!({ @pc += 1; @(Label::table(tick!(@code[@pc - 1] as usize), &labels)) });
    jit.compile(tick!(|code: Slice<i64>, stack: SliceMut<i64>, x: i64| -> i64 {
        @(next(code));
        for (instruction, label) in $(INSTRUCTIONS.chars().zip(labels)) {
            @(label.here());
            match $instruction {
                'x' => { stack[@top] = x; @top += 1 }
                '#' => { stack[@top] = code[@pc]; @top += 1; @pc += 1 }
                '~' => stack[@top - 1] = -stack[@top - 1],
                '.' => return stack[@top - 1],
                op => { @top -= 1; stack[@top - 1] = @(operate(*op, tick!(@stack[@top - 1]), tick!(@stack[@top]))) }
            }
            @(next(code));
        }
        0
    }))
}

/// The compiler: runs a program on a stack of code.
fn compile(jit: &Jit, program: &Program) -> Result<Func<Compiled>, tickc::Error> {
    let run = |x: Var<i64>| {
        let (mut stack, mut words) = (Vec::<Code<'_, i64>>::new(), program.0.iter().copied());
        while let Some(op) = words.next() {
            let operands = stack.split_off(stack.len() - [0, 0, 1, 2, 2, 2, 2, 1][op as usize]);
            stack.push(match (INSTRUCTIONS.as_bytes()[op as usize] as char, &operands[..]) {
                ('#', _) => tick!($(words.next().expect("the operand of PUSH"))),
                ('~', [a]) => tick!(-@a),
                ('.', [result]) => result.clone(),
                (operator, [a, b]) => operate(operator, a.clone(), b.clone()),
                _ => tick!(@x),
            });
        }
        stack.remove(0)
    };
    jit.compile(tick!(|x: i64| -> i64 { @(run(x)) }))
}

/// The results of interpreter and compiler, and the code made by the compiler.
///
/// # Errors
/// That no code could be generated.
pub fn evaluate(program: &Program, x: i64) -> Result<([Result<i64, Trap>; 2], String), tickc::Error> {
    let jit = Jit::new()?;
    let (interpreter, compiled) = (interpreter(&jit)?, compile(&jit, program)?);
    let interpreted = interpreter.try_call(&program.0, &mut vec![0; program.0.len()], x);
    Ok(([interpreted, compiled.try_call(x)], compiled.disassemble()))
}
