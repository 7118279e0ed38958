//! A shop's data, large enough to be looked at: how it was on Friday and how it is now. Names and amounts are made from the
//! position alone, so that pictures of it are the same each time.

use serde_json::{Map, Value as Json, json};
use std::fmt::Write as _;

/// The tables, in an order in which they can be filled.
pub(crate) const TABLES: &str = "
CREATE TABLE categories (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES categories (id), name TEXT NOT NULL);
CREATE TABLE suppliers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT, phone TEXT);
CREATE TABLE staff (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT UNIQUE, role TEXT NOT NULL, is_superuser BOOLEAN NOT NULL DEFAULT 0, password_hash TEXT, updated_at TEXT);
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT UNIQUE, phone TEXT, address JSON, newsletter BOOLEAN NOT NULL DEFAULT 0, last_login TEXT, notes TEXT, updated_at TEXT);
CREATE TABLE products (id INTEGER PRIMARY KEY, category_id INTEGER NOT NULL REFERENCES categories (id), supplier_id INTEGER NOT NULL REFERENCES suppliers (id), name TEXT NOT NULL, price NUMERIC NOT NULL, stock INTEGER NOT NULL, description TEXT, photo BLOB, updated_at TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers (id), staff_id INTEGER REFERENCES staff (id), status TEXT NOT NULL, placed_at TEXT NOT NULL, updated_at TEXT);
CREATE TABLE order_lines (order_id INTEGER NOT NULL REFERENCES orders (id), line INTEGER NOT NULL, product_id INTEGER NOT NULL REFERENCES products (id), quantity INTEGER NOT NULL CHECK (quantity > 0), price NUMERIC NOT NULL, PRIMARY KEY (order_id, line));
CREATE TABLE invoices (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL UNIQUE REFERENCES orders (id), total NUMERIC NOT NULL, paid_at TEXT);
CREATE TABLE shipments (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders (id), carrier TEXT NOT NULL, tracking TEXT);
CREATE TABLE reviews (id INTEGER PRIMARY KEY, product_id INTEGER NOT NULL REFERENCES products (id), customer_id INTEGER NOT NULL REFERENCES customers (id), stars INTEGER NOT NULL CHECK (stars BETWEEN 1 AND 5), text TEXT, updated_at TEXT);
CREATE TABLE coupons (code TEXT PRIMARY KEY, percent INTEGER NOT NULL, valid_until TEXT);
CREATE TRIGGER reviews_touch AFTER INSERT ON reviews BEGIN SELECT 1; END;";

/// What the configuration says of the tables.
pub(crate) const CONFIG: &str = "[targets.shop.tables.staff]\nsecret_columns = [\"password_hash\"]\n";

const FIRST: [&str; 20] = [
    "Anna",
    "Bilal",
    "Chloé",
    "Dmitri",
    "Elif",
    "Femi",
    "Grace",
    "Hiro",
    "Ines",
    "Jonas",
    "Katarzyna",
    "Liam",
    "Mei",
    "Noor",
    "Olga",
    "Pablo",
    "Quynh",
    "Rosa",
    "Søren",
    "Tariq",
];
const LAST: [&str; 17] = [
    "Almeida", "Berg", "Carter", "Dvořák", "Eriksen", "Fischer", "García", "Hansen", "Ito", "Jansen", "Kowalska",
    "Lang", "Meyer", "Nguyen", "Okafor", "Petrov", "Rossi",
];
const GOODS: [&str; 12] = [
    "Kettle",
    "Desk lamp",
    "Rug",
    "Oak stool",
    "Teapot",
    "Throw",
    "Vase",
    "Candle",
    "Mirror",
    "Basket",
    "Shelf",
    "Bowl",
];
const COLOURS: [&str; 7] = ["sand", "moss", "clay", "ink", "linen", "rust", "fog"];

type Row = Map<String, Json>;

/// A side's tables: name, records.
struct Side(Vec<(&'static str, Vec<Row>)>);

fn row(value: Json) -> Row {
    match value {
        Json::Object(map) => map,
        _ => Row::new(),
    }
}

fn day(n: usize) -> String {
    format!("2026-11-{:02}T{:02}:{:02}:00.000Z", 1 + n % 20, 8 + n % 11, n * 7 % 60)
}

fn person(n: usize) -> (String, String) {
    let (first, last) = (FIRST[n % 20], LAST[n * 7 % 17]);
    let plain = |s: &str| s.chars().map(|c| if c.is_ascii() { c } else { 'e' }).collect::<String>().to_lowercase();
    (format!("{first} {last}"), format!("{}.{}{n}@example.org", plain(first), plain(last)))
}

/// How it was.
fn friday() -> Side {
    let categories = (1..=9)
        .map(|n| row(json!({"id": n, "parent_id": (n > 3).then_some(n % 3 + 1), "name": (["Kitchen", "Living", "Light", "Tea", "Textiles", "Storage", "Garden", "Bath", "Gifts"][n - 1])})))
        .collect();
    let suppliers = (1..=14)
        .map(|n| row(json!({"id": n, "name": format!("{} & Sons", LAST[n]), "city": (["Porto", "Gdańsk", "Aarhus", "Izmir"][n % 4]), "phone": format!("+44 20 7946 0{:03}", n * 37)})))
        .collect();
    let staff = (1..=6)
        .map(|n| row(json!({"id": n, "name": person(n + 40).0, "email": format!("staff{n}@shop.example"), "role": if n == 1 { "admin" } else { "clerk" }, "is_superuser": n == 1, "password_hash": format!("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ{n}$aGFzaA"), "updated_at": day(n)})))
        .collect();
    let customers = (1..=240)
        .map(|n| {
            let (name, email) = person(n);
            row(json!({"id": n, "name": name, "email": email, "phone": (n % 4 > 0).then(|| format!("+49 30 5550{n:03}")), "address": format!("{{\"street\": \"{} Harbour Road\", \"city\": \"{}\", \"postcode\": \"{:05}\"}}", n, ["Bremen", "Leith", "Malmö"][n % 3], 10_000 + n * 31), "newsletter": n % 3 == 0, "last_login": day(n), "notes": if n % 5 == 0 { "" } else { "prefers mail" }, "updated_at": day(n)}))
        })
        .collect();
    let products = (1..=84)
        .map(|n| {
            row(json!({"id": n, "category_id": 1 + n % 9, "supplier_id": 1 + n % 14, "name": format!("{}, {}", GOODS[n % 12], COLOURS[n % 7]), "price": 12 + n, "stock": n * 13 % 97, "description": format!("Made by hand in small batches.\nEach piece is a little different.\nDimensions: {} × {} cm.\nWipe clean.", 10 + n % 30, 8 + n % 20), "photo": null, "updated_at": day(n)}))
        })
        .collect();
    let orders = (1..=900)
        .map(|n| row(json!({"id": n, "customer_id": 1 + n % 240, "staff_id": (n % 3 > 0).then_some(1 + n % 6), "status": (["paid", "sent", "open"][n % 3]), "placed_at": day(n), "updated_at": day(n)})))
        .collect();
    let lines = (1..=2_250)
        .map(|n| row(json!({"order_id": 1 + (n - 1) / 5 * 2 % 900 + (n - 1) % 5 / 3, "line": 1 + (n - 1) % 5, "product_id": 1 + n % 84, "quantity": 1 + n % 4, "price": 12 + 1 + n % 84})))
        .collect();
    let invoices = (1..=900)
        .map(|n| row(json!({"id": n, "order_id": n, "total": 20 + n % 190, "paid_at": (n % 3 < 2).then(|| day(n))})))
        .collect();
    let shipments = (1..=300)
        .map(|n| row(json!({"id": n, "order_id": n * 3 - 2, "carrier": (["DHL", "UPS", "PostNord"][n % 3]), "tracking": format!("JJD{:09}", n * 7_919)})))
        .collect();
    let reviews = (1..=160)
        .map(|n| row(json!({"id": n, "product_id": 1 + n % 84, "customer_id": 1 + n % 240, "stars": 1 + n % 5, "text": format!("Arrived in {} days and looks just like the picture. The {} is lovely, though the box was a little dented at one corner.", 2 + n % 4, GOODS[n % 12].to_lowercase()), "updated_at": day(n)})))
        .collect();
    let coupons = ["WELCOME10", "AUTUMN", "FRIENDS"]
        .iter()
        .map(|c| row(json!({"code": c, "percent": 10, "valid_until": null})))
        .collect();
    Side(vec![
        ("categories", categories),
        ("suppliers", suppliers),
        ("staff", staff),
        ("customers", customers),
        ("products", products),
        ("orders", orders),
        ("order_lines", lines),
        ("invoices", invoices),
        ("shipments", shipments),
        ("reviews", reviews),
        ("coupons", coupons),
    ])
}

impl Side {
    fn table(&mut self, name: &str) -> &mut Vec<Row> {
        self.0.iter_mut().find(|t| t.0 == name).map(|t| &mut t.1).expect("a table of the shop")
    }

    fn sql(&self) -> String {
        let mut sql = String::new();
        for (table, rows) in &self.0 {
            for row in rows {
                let cells: Vec<String> = row.values().map(literal).collect();
                let names: Vec<&str> = row.keys().map(String::as_str).collect();
                let _ = writeln!(sql, "INSERT INTO {table} ({}) VALUES ({});", names.join(", "), cells.join(", "));
            }
        }
        sql
    }

    fn json(&self) -> String {
        let data: Map<String, Json> = self.0.iter().map(|(name, rows)| ((*name).to_owned(), json!(rows))).collect();
        let counts: Map<String, Json> =
            self.0.iter().map(|(name, rows)| ((*name).to_owned(), json!(rows.len()))).collect();
        json!({"metadata": {"version": "1.0", "timestamp": "2026-11-20T18:00:00.000Z", "recordCounts": counts}, "data": data}).to_string()
    }
}

fn literal(value: &Json) -> String {
    match value {
        Json::Null => "NULL".to_owned(),
        Json::Bool(b) => u8::from(*b).to_string(),
        Json::String(s) => format!("'{}'", s.replace('\'', "''")),
        other => other.to_string(),
    }
}

/// The statements that make the current database, and the backup of how it was on Friday.
///
/// Since then somebody deleted four customers with their orders, a script changed prices, customers went on shopping, and a
/// clerk lost rights that the backup still has.
pub(crate) fn now_and_then() -> (String, String) {
    let (mut then, mut now) = (friday(), friday());
    let gone = |id: u64| matches!(id, 17 | 58 | 120 | 203);
    let of = |row: &Row, name: &str| row[name].as_u64().unwrap_or(0);
    let lost: Vec<u64> =
        now.table("orders").iter().filter(|o| gone(of(o, "customer_id"))).map(|o| of(o, "id")).collect();
    now.table("customers").retain(|c| !gone(of(c, "id")));
    now.table("reviews").retain(|r| !gone(of(r, "customer_id")));
    now.table("orders").retain(|o| !lost.contains(&of(o, "id")));
    for table in ["order_lines", "invoices", "shipments"] {
        now.table(table).retain(|r| !lost.contains(&of(r, "order_id")));
    }
    for product in now.table("products").iter_mut().filter(|p| of(p, "id") % 2 == 0) {
        product["price"] = json!(of(product, "price") * 10);
    }
    for (position, customer) in now.table("customers").iter_mut().enumerate() {
        if position % 3 > 0 {
            customer["last_login"] = json!(format!("2026-11-21T{:02}:15:00.000Z", 8 + position % 12));
        }
    }
    let edit = |side: &mut Side, table: &str, position: usize, field: &str, value: Json| {
        side.table(table)[position][field] = value;
    };
    for position in [4, 33, 71] {
        let email = now.table("customers")[position]["email"].as_str().unwrap_or_default().replace(".org", ".com");
        edit(&mut now, "customers", position, "email", json!(email));
        edit(&mut now, "customers", position, "phone", json!(" "));
    }
    edit(
        &mut now,
        "customers",
        9,
        "address",
        json!("{\"street\": \"9 Mill Lane\", \"city\": \"Leith\", \"postcode\": \"10310\"}"),
    );
    edit(
        &mut now,
        "products",
        6,
        "description",
        json!(
            "Made by hand in small batches.\nEach piece is a little different.\nDimensions: 18 × 15 cm.\nDishwasher safe up to 60 °C."
        ),
    );
    edit(
        &mut now,
        "reviews",
        11,
        "text",
        json!(
            "Arrived in 3 days and looks nothing like the picture. The kettle is fine, though the box was badly dented at one corner."
        ),
    );
    edit(&mut now, "reviews", 12, "stars", json!(2));
    edit(&mut now, "staff", 2, "role", json!("clerk"));
    edit(&mut then, "staff", 2, "role", json!("admin"));
    edit(&mut then, "staff", 2, "is_superuser", json!(true));
    edit(&mut then, "customers", 16, "name", json!("Bea <b>Bold</b> \u{202e}gnp"));
    now.table("coupons").remove(1);
    now.table("categories").push(row(json!({"id": 10, "parent_id": 1, "name": "Winter"})));
    for n in 241..=260 {
        let (name, email) = person(n);
        now.table("customers").push(row(json!({"id": n, "name": name, "email": email, "phone": null, "address": null, "newsletter": false, "last_login": "2026-11-21T09:00:00.000Z", "notes": null, "updated_at": "2026-11-21T09:00:00.000Z"})));
    }
    then.table("reviews").push(row(json!({"id": 900, "product_id": 999, "customer_id": 3, "stars": 4, "text": "A product that is gone.", "updated_at": day(3)})));
    (now.sql(), then.json())
}
