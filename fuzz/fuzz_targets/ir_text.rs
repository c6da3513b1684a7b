//! Any text is read as the intermediate representation or refused, and what is read is printed as it will be read again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(printed) = tickc::__private::reprint(text) {
        assert_eq!(tickc::__private::reprint(&printed).as_ref(), Ok(&printed));
    }
});
