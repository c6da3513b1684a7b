use std::path::Path;

use proptest::prelude::*;

use super::*;

fn sample() -> Order {
    Order { id: 7, customer: 42, price: 1999, qty: 3, region: 2, day: 100, discount: 0, express: true, gift: false }
}

/// What `predicate`, compiled in each tier, selects from `orders`, or its error.
fn compiled(predicate: &Predicate, orders: &[Order]) -> Vec<Result<Vec<usize>, String>> {
    let jit = Jit::new().unwrap();
    let select = |&(tier, _): &(_, _)| {
        let query = compile::compile(&jit, tier, &predicate.condition).unwrap();
        predicate.select_compiled(&query, orders).map_err(|error| error.to_string())
    };
    tiers::TIERS.iter().map(select).collect()
}

fn value(text: &str) -> bool {
    text.parse::<Predicate>().unwrap_or_else(|error| panic!("{error}")).holds(&sample()).unwrap()
}

fn error(text: &str) -> TextError {
    text.parse::<Predicate>().map(|predicate| predicate.condition).expect_err(text)
}

#[test]
fn conditions_have_their_values() {
    let cases = [
        ("price > 10 && (qty <= 3 || !(region == 2))", true),
        ("price == 1_999", true),
        ("1 + 2 * 3 == 7", true),
        ("(1 + 2) * 3 == 9", true),
        ("10 - 4 - 3 == 3", true),
        ("100 / 10 / 5 == 2", true),
        ("-7 / 2 == -3 && -7 % 2 == -1", true),
        ("- price + 1 == -1998", true),
        ("--5 == 5", true),
        ("2 - -3 == 5", true),
        ("true || false && false", true),
        ("(true || false) && false", false),
        ("!express || !gift", true),
        ("!(express && gift)", true),
        ("express == (qty < 4)", true),
        ("express != gift", true),
        ("(1 < 2) == (3 < 4)", true),
        ("1 < 2 && 3 < 4 && (1 == 2) == gift", true),
        ("express && !gift && id % 7 == 0", true),
        ("9223372036854775807 + 1 == -9223372036854775808", true),
        ("-9223372036854775808 < 0", true),
        ("price * 9223372036854775807 == -price + -9223372036854775808", true),
        ("id<customer", true),
        ("\tid\n<\tcustomer ", true),
    ];
    for (text, expected) in cases {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn errors_point_at_the_column() {
    let cases: &[(&str, std::ops::Range<usize>, &str)] = &[
        ("", 0..0, "expected a column, a number or '(', found the end"),
        ("   ", 3..3, "found the end"),
        ("price >", 7..7, "found the end"),
        ("price > > 3", 8..9, "found '>'"),
        ("price 10", 6..8, "expected an operator, found '10'"),
        ("(price > 10", 11..11, "expected ')' for the '(' at column 1, found the end"),
        ("price > 10)", 10..11, "expected an operator, found ')'"),
        ("()", 1..2, "expected a column"),
        ("price = 10", 6..7, "'==' may be meant"),
        ("gift & express", 5..6, "'&&' may be meant"),
        ("gift | express", 5..6, "'||' may be meant"),
        ("price > 10 ; 1", 11..12, "';' means nothing here"),
        ("é", 0..1, "there is no column 'é'"),
        ("gift && cost > 3", 8..12, "there is no column 'cost' (but id, customer, price,"),
        ("price > 10.5", 8..12, "'10.5' is not a whole number"),
        ("price > 10x", 8..11, "'10x' is not"),
        ("price > 9223372036854775808", 8..27, "larger than 9223372036854775807"),
        ("price > -9223372036854775809", 9..28, "larger than"),
        ("price > 99999999999999999999", 8..28, "does not fit into 64 bits"),
        ("price", 0..5, "expected a condition, found a number"),
        ("price + 1", 0..9, "expected a condition, found a number"),
        ("!price", 1..6, "expected a condition, found a number"),
        ("price && gift", 0..5, "expected a condition, found a number"),
        ("gift && 3", 8..9, "expected a condition, found a number"),
        ("gift + 1 > 2", 0..4, "expected a number, found a condition"),
        ("price > gift", 8..12, "expected a number, found a condition"),
        ("price == (1 < 2)", 9..16, "expected a number, found a condition"),
        ("gift == 1", 8..9, "expected a condition, found a number"),
        ("gift < express", 5..6, "'==' and '!=' only"),
        ("-gift", 1..5, "expected a number"),
        ("1 < 2 < 3", 6..7, "do not chain"),
        ("gift == (1 < 2) == true", 16..18, "do not chain"),
        ("1 + 1 < 2 + (2) > 3 - 1", 16..17, "do not chain"),
        ("price / 0 > 1", 8..9, "the divisor is zero"),
        ("price % (0) > 1", 8..11, "the divisor is zero"),
    ];
    for (text, place, message) in cases {
        let error = error(text);
        assert_eq!(error.place, *place, "{error}");
        assert!(error.message.contains(message), "{error}");
    }
}

#[test]
fn the_caret_is_shown() {
    assert_eq!(
        error("qty > 3 && prise > 5").to_string().lines().skip(1).collect::<Vec<_>>(),
        ["", "    qty > 3 && prise > 5", "               ^^^^^"]
    );
}

#[test]
fn depth_is_bounded_and_not_the_stack() {
    for text in [
        format!("{}1 > 0{}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("{}gift", "!".repeat(100_000)),
        format!("1{} > 0", " + 1".repeat(100_000)),
        format!("gift{}", " || gift".repeat(100_000)),
        format!("{}1 > 0", "- ".repeat(100_000)),
    ] {
        let message = error(&text).message;
        assert!(message.contains("more than 250") || message.contains("more than 100 deep"), "{message}");
    }
    assert!(value(&format!("{}1 > 0{}", "(".repeat(90), ")".repeat(90))));
    assert!(value(&format!("{}express", "!".repeat(90))));
    assert!(value(&format!("express{}", " || gift".repeat(200))));
}

#[test]
fn a_division_without_a_value_names_order_and_place() {
    let predicate: Predicate = "gift || price / discount > 3".parse().unwrap();
    assert_eq!(predicate.holds(&sample()), None);
    assert_eq!(
        predicate.select(&[sample()]).unwrap_err().to_string(),
        "the condition has no value for the order with id 7: division by zero at column 15\n\n    \
         gift || price / discount > 3\n                  ^"
    );
    let overflow: Predicate = "-9223372036854775808 % (discount - 1) == 0".parse().unwrap();
    assert!(overflow.select(&[sample()]).unwrap_err().to_string().contains("division overflows at column 22"));
    let guarded: Predicate = "discount != 0 && price / discount > 3".parse().unwrap();
    assert_eq!(guarded.select(&[sample()]).unwrap(), []);
    assert!(guarded.undefined(&sample()).is_none());
}

#[test]
fn compiled_conditions_select_the_same() {
    let orders: Vec<Order> = generate::orders().take(20_000).collect();
    let deep = format!("gift{}", " || day % 7 == 3 && gift".repeat(200));
    for text in [DEFAULT_CONDITION, "true", "false", "id % 2 == 0", "gift == express", "region == 300", &deep] {
        let predicate: Predicate = text.parse().unwrap();
        let selected = predicate.select(&orders).unwrap();
        for compiled in compiled(&predicate, &orders) {
            assert_eq!(compiled.as_ref(), Ok(&selected), "{text}");
        }
    }
}

#[test]
fn a_compiled_division_without_a_value_names_order_and_place() {
    let predicate: Predicate = "price / discount > 3".parse().unwrap();
    let orders = [Order { id: 1, discount: 2, ..sample() }, sample()];
    for compiled in compiled(&predicate, &orders) {
        assert_eq!(
            compiled.unwrap_err(),
            "the condition has no value for the order with id 7: division by zero at column 7\n\n    \
             price / discount > 3\n          ^"
        );
    }
}

#[test]
fn by_hand_is_the_default_condition() {
    let predicate: Predicate = DEFAULT_CONDITION.parse().unwrap();
    let orders: Vec<Order> = generate::orders().take(20_000).collect();
    let selected = predicate.select(&orders).unwrap();
    let mut places = vec![0; orders.len()];
    let found = select_by(&orders, by_hand, &mut places);
    assert_eq!(selected, places[..found]);
    assert!(selected.len() > 100 && selected.len() < 19_000);
}

/// A condition as text together with its value, computed as the text is made.
fn conditions() -> impl Strategy<Value = (String, Option<bool>)> {
    let order = sample();
    let leaf = prop_oneof![
        Just(("express".to_owned(), Some(true))),
        Just(("gift".to_owned(), Some(false))),
        Just(("true".to_owned(), Some(true))),
        (numbers(order), numbers(order), 0..6_usize).prop_map(|((a, x), (b, y), operator)| {
            let value = x.zip(y).map(|(x, y)| [x == y, x != y, x < y, x <= y, x > y, x >= y][operator]);
            (format!("{a} {} {b}", ["==", "!=", "<", "<=", ">", ">="][operator]), value)
        }),
    ];
    leaf.prop_recursive(5, 40, 2, |inner| {
        (inner.clone(), inner, 0..5_u8).prop_map(|((a, x), (b, y), kind)| match kind {
            0 => (format!("!({a})"), x.map(|x| !x)),
            1 => (format!("({a}) && ({b})"), if x == Some(true) { y } else { x }),
            2 => (format!("({a}) || ({b})"), if x == Some(false) { y } else { x }),
            3 => (format!("({a}) == ({b})"), x.zip(y).map(|(x, y)| x == y)),
            _ => (format!("({a}) != ({b})"), x.zip(y).map(|(x, y)| x != y)),
        })
    })
}

fn numbers(order: Order) -> impl Strategy<Value = (String, Option<i64>)> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(|n| (n.to_string(), Some(n))),
        (-3_i64..4).prop_map(|n| (n.to_string(), Some(n))),
        prop::sample::select(orders::NumberColumn::ALL)
            .prop_map(move |column| (column.name().to_owned(), Some(column.read(&order)))),
    ];
    leaf.prop_recursive(4, 30, 2, |inner| {
        (inner.clone(), inner, 0..6_u8).prop_filter_map("a literal zero as divisor", |((a, x), (b, y), kind)| {
            let both = x.zip(y);
            if (3..5).contains(&kind) && b == "0" {
                return None;
            }
            Some(match kind {
                0 => (format!("({a}) + ({b})"), both.map(|(x, y)| x.wrapping_add(y))),
                1 => (format!("({a}) - ({b})"), both.map(|(x, y)| x.wrapping_sub(y))),
                2 => (format!("({a}) * ({b})"), both.map(|(x, y)| x.wrapping_mul(y))),
                3 => (format!("({a}) / ({b})"), both.and_then(|(x, y)| x.checked_div(y))),
                4 => (format!("({a}) % ({b})"), both.and_then(|(x, y)| x.checked_rem(y))),
                _ => (format!("-({a})"), x.map(i64::wrapping_neg)),
            })
        })
    })
}

proptest! {
    #[test]
    fn text_and_value_agree((text, expected) in conditions()) {
        let predicate: Predicate = text.parse().map_err(|error: TextError| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(predicate.holds(&sample()), expected, "{}", text);
        prop_assert_eq!(predicate.undefined(&sample()).is_some(), expected.is_none());
        let orders = [sample()];
        let selected = predicate.select(&orders).map_err(|error| error.to_string());
        for compiled in compiled(&predicate, &orders) {
            prop_assert_eq!(&compiled, &selected, "{}", text);
        }
    }

    #[test]
    fn any_text_is_a_condition_or_an_error(text in "[a-z0-9 ()!&|=<>+*/%_.é-]{0,40}|.{0,20}") {
        if let Err(error) = text.parse::<Predicate>() {
            prop_assert!(error.place.end <= text.chars().count() && error.place.start <= error.place.end, "{}", error);
        }
    }
}

const HEADER: &str = "id,customer,price,qty,region,day,discount,express,gift\n";

fn read(text: &str) -> Result<Vec<Order>, String> {
    read_orders_from(text.as_bytes(), Path::new("t.csv")).map_err(|error| error.to_string())
}

#[test]
fn orders_are_read() {
    let text = format!("{HEADER}7,42,1999,3,2,100,0,1,0\n");
    assert_eq!(read(&text).unwrap(), [sample()]);
    assert_eq!(read(&text.replace('\n', "\r\n")).unwrap(), [sample()]);
    assert_eq!(read(&format!("\u{feff}{text}")).unwrap(), [sample()]);
    let shuffled = "gift,note,id,customer,price,qty,region,express,day,discount\n0,\"a, b\",7,42, 1999,3,2,1,100,0";
    assert_eq!(read(shuffled).unwrap(), [sample()]);
}

#[test]
fn a_malformed_table_names_the_line() {
    let good = "7,42,1999,3,2,100,0,1,0\n";
    let cases = [
        (String::new(), "t.csv:1: there is no column 'id'"),
        (HEADER.into(), "t.csv:1: the table has no orders"),
        (HEADER.replace("price", "prize"), "t.csv:1: there is no column 'price'"),
        (HEADER.replace("gift", "price"), "t.csv:1: there are two columns 'price'"),
        (format!("{HEADER}{good}1,2,3\n"), "t.csv:3: 3 columns, but the first line names 9"),
        (
            format!("{HEADER}{good}\n{good}7,42,cheap,3,2,100,0,1,0\n"),
            "t.csv:5: column 'price' is 'cheap', expected a whole number from -9223372036854775808 to",
        ),
        (
            format!("{HEADER}7,42,1999,3,256,100,0,1,0"),
            "t.csv:2: column 'region' is '256', expected a whole number from 0 to 255",
        ),
        (format!("{HEADER}7,42,1999,3,2,100,0,yes,0"), "t.csv:2: column 'express' is 'yes', expected 0 or 1"),
        (format!("{HEADER}7,42,,3,2,100,0,1,0"), "t.csv:2: column 'price' is ''"),
        (format!("{HEADER}{good}7,\"42,1999\n\n"), "t.csv:3: 2 columns"),
    ];
    for (text, expected) in cases {
        let message = read(&text).unwrap_err();
        assert!(message.starts_with(expected), "{message}\nexpected {expected}");
    }
    let bytes = [HEADER.as_bytes(), good.as_bytes(), b"7,42,\xff,3,2,100,0,1,0\n"].concat();
    let error = read_orders_from(&bytes[..], Path::new("t.csv")).unwrap_err();
    assert_eq!(error.to_string(), "t.csv:3: column 3 is not UTF-8");
}

#[test]
fn the_shipped_table_is_the_generated_one() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/orders.csv");
    let orders = read_orders(&shipped).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(orders.len(), generate::ORDERS as usize);
    assert!(orders.into_iter().eq(generate::orders()), "run make-orders after a change of the generator");
}
