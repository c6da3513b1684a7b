//! Signatures and calls: the convention of [`crate::x64`], said in CLIF.
//!
//! CLIF gives each parameter the next register of its class, or the next word of the stack when there is none left. Where a slice
//! is passed on the stack as a whole although a register is left, a later parameter may still take that register; so parameters
//! are sorted by where they are passed, and a filler takes a register that nothing is passed in.

use cranelift_codegen::ir::{
    AbiParam, ExtFuncData, ExternalName, FuncRef, InstBuilder, SigRef, Signature, UserExternalName, Value, types,
};
use cranelift_codegen::isa::CallConv;

use super::lower::{ACCESS, Lowering, clif_type};
use super::survey::{Callee, Survey, is_narrow};
use crate::ir::{ArgValue, CallSite, Function, Record};
use crate::machine::Target;
use crate::types::Type;
use crate::x64::convention::{ARGUMENTS, Convention, Location, XMM0, is_near};

/// What a parameter in CLIF is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Passed {
    /// The parameter, or argument, with this index.
    Argument(u32),
    /// The stack limit.
    Limit,
    /// Nothing.
    Filler,
}

/// The name of a function that is called, in the relocations.
pub(super) mod name {
    /// The function itself.
    pub(in crate::cranelift) const ITSELF: u32 = 0;
    /// What the call site with this index goes to.
    pub(in crate::cranelift) const CALLEE: u32 = 1;
    /// The remainder of floats; the index is their size.
    pub(in crate::cranelift) const REMAINDER: u32 = 2;
}

/// A parameter or result: narrow values are extended, as the convention has it.
fn abi(ty: Type) -> AbiParam {
    let param = AbiParam::new(clif_type(ty));
    match (is_narrow(ty), ty.is_signed()) {
        (true, true) => param.sext(),
        (true, false) => param.uext(),
        (false, _) => param,
    }
}

/// Sorts parameters into `passed`.
fn arrange(types: impl Iterator<Item = Type> + Clone, pairs: u32, limit: bool, passed: &mut Vec<Arranged>) {
    passed.clear();
    let mut convention = Convention::default();
    let mut kinds = types.clone();
    convention.locate(types, pairs, |i, location| {
        let ty = kinds.next().expect("as many types as locations");
        passed.push((Key::of(location), Passed::Argument(i as u32), abi(ty)));
    });
    if limit {
        let location = convention.next(Type::Usize, false);
        passed.push((Key::of(location), Passed::Limit, abi(Type::Usize)));
    }
    let ints = passed.iter().filter(|(key, ..)| matches!(key, Key::Int(_))).count();
    let is_int_on_stack = |(key, _, param): &Arranged| matches!(key, Key::Stack(_)) && param.value_type.is_int();
    if passed.iter().any(is_int_on_stack) {
        for k in ints..ARGUMENTS.len() {
            passed.push((Key::Int(k as u32), Passed::Filler, abi(Type::Usize)));
        }
    }
    passed.sort_unstable_by_key(|&(key, ..)| key);
}

/// A parameter in CLIF.
pub(super) type Arranged = (Key, Passed, AbiParam);

/// Where a parameter is passed, in the order that CLIF wants.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Int(u32),
    Float(u32),
    Stack(u32),
}

impl Key {
    fn of(location: Location) -> Key {
        match location {
            Location::Reg(reg) if reg >= XMM0 => Key::Float(u32::from(reg - XMM0)),
            Location::Reg(reg) => {
                Key::Int(ARGUMENTS.iter().position(|&r| r == reg).expect("a register for arguments") as u32)
            }
            Location::Stack(word) => Key::Stack(word),
        }
    }
}

/// Makes `signature` one with these parameters. With a status there always is a value, be it only filler in its register.
fn fill(signature: &mut Signature, passed: &[Arranged], ret: Type, status: bool) {
    signature.clear(CallConv::SystemV);
    signature.params.extend(passed.iter().map(|&(.., param)| param));
    if ret != Type::Unit || status {
        signature.returns.push(abi(ret));
    }
    if status {
        signature.returns.push(AbiParam::new(types::I64));
    }
}

/// The signature of the function itself. Leaves in `passed` what its parameters are.
pub(super) fn own_signature(
    signature: &mut Signature,
    function: &Function,
    survey: &Survey,
    passed: &mut Vec<Arranged>,
) {
    arrange(function.params.iter().copied(), function.pairs, survey.takes_limit, passed);
    fill(signature, passed, function.ret, survey.traps);
}

impl Lowering<'_, '_> {
    /// Calls; the result, if there is one.
    pub(super) fn call(&mut self, r: Record) -> Option<Value> {
        let function = self.function;
        let site = &function.calls[r.a as usize];
        let callee = Callee::of(site);
        let signature = self.pass(site, callee, r.ty);
        let results = match site.target {
            Target::SelfCall => {
                let itself = match self.itself {
                    Some(itself) => itself,
                    None => self.import(signature, name::ITSELF, 0),
                };
                self.itself = Some(itself);
                self.b.ins().call(itself, &self.storage.values)
            }
            Target::Dynamic { address, .. } | Target::Native(address) | Target::Host { shim: address, .. }
                if is_near(self.region, address) =>
            {
                let callee = self.import(signature, name::CALLEE, r.a);
                self.b.ins().call(callee, &self.storage.values)
            }
            Target::Dynamic { address, .. } | Target::Native(address) | Target::Host { shim: address, .. } => {
                let callee = self.b.ins().iconst(types::I64, address as i64);
                self.b.ins().call_indirect(signature, callee, &self.storage.values)
            }
            Target::Declared(cell) => {
                let cell = self.b.ins().iconst(types::I64, cell as i64);
                let callee = self.b.ins().load(types::I64, ACCESS, cell, 0);
                self.b.ins().call_indirect(signature, callee, &self.storage.values)
            }
        };
        let value = self.b.inst_results(results).first().copied();
        if callee.traps {
            let status = self.b.inst_results(results)[1];
            self.hand_on(status);
        }
        if r.ty == Type::Unit { None } else { value }
    }

    /// Leaves in the storage the values that a call passes; the callee's signature.
    fn pass(&mut self, site: &CallSite, callee: Callee, ret: Type) -> SigRef {
        let args = self.function.args_of(site);
        let (data, pairs) = match site.target {
            Target::Host { data, .. } => (Some(data), site.pairs << 1),
            _ => (None, site.pairs),
        };
        let types = data.map(|_| Type::Ptr).into_iter().chain(args.iter().map(|arg| arg.ty));
        let mut passed = std::mem::take(&mut self.storage.passed);
        arrange(types, pairs, callee.takes_limit, &mut passed);
        self.storage.values.clear();
        for &(_, what, _) in &passed {
            let value = match what {
                Passed::Argument(0) if data.is_some() => self.constant(Type::Ptr, data.unwrap_or_default()),
                Passed::Argument(i) => {
                    let arg = args[i as usize - usize::from(data.is_some())];
                    match arg.value {
                        ArgValue::Reg(reg) => self.read(arg.ty, reg),
                        ArgValue::Const(bits) => self.constant(arg.ty, bits),
                    }
                }
                Passed::Limit => self.limit.expect("C2: a function whose calls need the limit takes it"),
                Passed::Filler => self.constant(Type::Usize, 0),
            };
            self.storage.values.push(value);
        }
        let mut signature = Signature::new(CallConv::SystemV);
        fill(&mut signature, &passed, ret, callee.traps);
        self.storage.passed = passed;
        self.b.import_signature(signature)
    }

    /// A function that is called near.
    fn import(&mut self, signature: SigRef, namespace: u32, index: u32) -> FuncRef {
        let name = self.b.func.declare_imported_user_function(UserExternalName { namespace, index });
        let name = ExternalName::user(name);
        self.b.import_function(ExtFuncData { name, signature, colocated: true, patchable: false })
    }

    /// The remainder of floats, by a call as in the other tiers.
    pub(super) fn float_remainder(&mut self, ty: Type, a: Value, b: Value) -> Value {
        let mut signature = Signature::new(CallConv::SystemV);
        signature.params.extend([abi(ty); 2]);
        signature.returns.push(abi(ty));
        let signature = self.b.import_signature(signature);
        let address = remainder(ty.size());
        let call = if is_near(self.region, address) {
            let callee = self.import(signature, name::REMAINDER, ty.size());
            self.b.ins().call(callee, &[a, b])
        } else {
            let callee = self.b.ins().iconst(types::I64, address as i64);
            self.b.ins().call_indirect(signature, callee, &[a, b])
        };
        self.b.inst_results(call)[0]
    }
}

/// The address of the function that computes the remainder of floats of this size.
pub(super) fn remainder(size: u32) -> u64 {
    extern "C" fn of_f32(a: f32, b: f32) -> f32 {
        a % b
    }
    extern "C" fn of_f64(a: f64, b: f64) -> f64 {
        a % b
    }
    let address = if size == 4 { of_f32 as *const () } else { of_f64 as *const () };
    address.addr() as u64
}
