"""The 22 queries of TPC-H in the pandas-style API, for libraries that have Dask's.

Each query takes a function that reads a table, and gives a collection. Days are moments, and money
is floats. The answers are those of `tpch_queries.QUERIES`, apart from the names of some columns.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

Read = Callable[[str], Any]


def day(year: int, month: int, number: int) -> datetime.datetime:
    """Midnight at the start of a day."""
    return datetime.datetime(year, month, number)


def within(frame: Any, column: str, begin: datetime.datetime, end: datetime.datetime) -> Any:
    """The rows whose moment is not before `begin` and before `end`."""
    return frame[(frame[column] >= begin) & (frame[column] < end)]


def with_revenue(frame: Any) -> Any:
    """The rows with the discounted price."""
    return frame.assign(revenue=frame.l_extendedprice * (1 - frame.l_discount))


def first(frame: Any, count: int) -> Any:
    """The first rows of a sorted frame."""
    return frame.head(count, npartitions=-1, compute=False)


def q1(read: Read) -> Any:
    lines = read("lineitem")
    lines = with_revenue(lines[lines.l_shipdate <= day(1998, 9, 2)])
    lines["charge"] = lines.revenue * (1 + lines.l_tax)
    return (
        lines.groupby(["l_returnflag", "l_linestatus"])
        .agg(
            sum_qty=("l_quantity", "sum"),
            sum_base_price=("l_extendedprice", "sum"),
            sum_disc_price=("revenue", "sum"),
            sum_charge=("charge", "sum"),
            avg_qty=("l_quantity", "mean"),
            avg_price=("l_extendedprice", "mean"),
            avg_disc=("l_discount", "mean"),
            count_order=("l_orderkey", "count"),
        )
        .reset_index()
        .sort_values(["l_returnflag", "l_linestatus"])
    )


def q2(read: Read) -> Any:
    regions, parts = read("region"), read("part")
    regions = regions[regions.r_name == "EUROPE"]
    parts = parts[(parts.p_size == 15) & parts.p_type.str.endswith("BRASS")]
    offers = (
        regions.merge(read("nation"), left_on="r_regionkey", right_on="n_regionkey")
        .merge(read("supplier"), left_on="n_nationkey", right_on="s_nationkey")
        .merge(read("partsupp"), left_on="s_suppkey", right_on="ps_suppkey")
        .merge(parts, left_on="ps_partkey", right_on="p_partkey")
    )
    least = offers.groupby("p_partkey")["ps_supplycost"].min().reset_index()
    least = least.rename(columns={"p_partkey": "part", "ps_supplycost": "least"})
    offers = offers.merge(least, left_on="p_partkey", right_on="part")
    offers = offers[offers.ps_supplycost == offers.least]
    columns = ["s_acctbal", "s_name", "n_name", "p_partkey", "p_mfgr", "s_address", "s_phone"]
    by = ["s_acctbal", "n_name", "s_name", "p_partkey"]
    found = offers[[*columns, "s_comment"]]
    return first(found.sort_values(by, ascending=[False, True, True, True]), 100)


def q3(read: Read) -> Any:
    customers, orders, lines = read("customer"), read("orders"), read("lineitem")
    customers = customers[customers.c_mktsegment == "BUILDING"]
    orders = orders[orders.o_orderdate < day(1995, 3, 15)]
    lines = lines[lines.l_shipdate > day(1995, 3, 15)]
    joined = customers.merge(orders, left_on="c_custkey", right_on="o_custkey").merge(
        lines, left_on="o_orderkey", right_on="l_orderkey"
    )
    by = ["l_orderkey", "o_orderdate", "o_shippriority"]
    total = with_revenue(joined).groupby(by)["revenue"].sum().reset_index()
    return first(total.sort_values(["revenue", "o_orderdate"], ascending=[False, True]), 10)


def q4(read: Read) -> Any:
    orders, lines = read("orders"), read("lineitem")
    orders = within(orders, "o_orderdate", day(1993, 7, 1), day(1993, 10, 1))
    late = lines[lines.l_commitdate < lines.l_receiptdate]
    found = orders.merge(late, left_on="o_orderkey", right_on="l_orderkey", how="leftsemi")
    counts = found.groupby("o_orderpriority")["o_orderkey"].count().reset_index()
    counts = counts.rename(columns={"o_orderkey": "order_count"})
    return counts.sort_values("o_orderpriority")


def q5(read: Read) -> Any:
    regions = read("region")
    orders = within(read("orders"), "o_orderdate", day(1994, 1, 1), day(1995, 1, 1))
    joined = (
        regions[regions.r_name == "ASIA"]
        .merge(read("nation"), left_on="r_regionkey", right_on="n_regionkey")
        .merge(read("customer"), left_on="n_nationkey", right_on="c_nationkey")
        .merge(orders, left_on="c_custkey", right_on="o_custkey")
        .merge(read("lineitem"), left_on="o_orderkey", right_on="l_orderkey")
        .merge(
            read("supplier"),
            left_on=["l_suppkey", "n_nationkey"],
            right_on=["s_suppkey", "s_nationkey"],
        )
    )
    total = with_revenue(joined).groupby("n_name")["revenue"].sum().reset_index()
    return total.sort_values("revenue", ascending=False)


def q6(read: Read) -> Any:
    lines = within(read("lineitem"), "l_shipdate", day(1994, 1, 1), day(1995, 1, 1))
    lines = lines[
        (lines.l_discount >= 0.049999) & (lines.l_discount <= 0.070001) & (lines.l_quantity < 24)
    ]
    return (lines.l_extendedprice * lines.l_discount).sum()


def q7(read: Read) -> Any:
    lines = within(read("lineitem"), "l_shipdate", day(1995, 1, 1), day(1997, 1, 1))
    nations = read("nation")[["n_nationkey", "n_name"]]
    nations = nations[nations.n_name.isin(["FRANCE", "GERMANY"])]
    sellers = nations.rename(columns={"n_nationkey": "supp_key", "n_name": "supp_nation"})
    buyers = nations.rename(columns={"n_nationkey": "cust_key", "n_name": "cust_nation"})
    sellers = sellers.merge(read("supplier"), left_on="supp_key", right_on="s_nationkey")
    buyers = buyers.merge(read("customer"), left_on="cust_key", right_on="c_nationkey").merge(
        read("orders"), left_on="c_custkey", right_on="o_custkey"
    )
    joined = sellers.merge(lines, left_on="s_suppkey", right_on="l_suppkey").merge(
        buyers, left_on="l_orderkey", right_on="o_orderkey"
    )
    joined = with_revenue(joined[joined.supp_nation != joined.cust_nation])
    joined["l_year"] = joined.l_shipdate.dt.year
    by = ["supp_nation", "cust_nation", "l_year"]
    return joined.groupby(by)["revenue"].sum().reset_index().sort_values(by)


def q8(read: Read) -> Any:
    regions, parts = read("region"), read("part")
    regions = regions[regions.r_name == "AMERICA"]
    parts = parts[parts.p_type == "ECONOMY ANODIZED STEEL"]
    orders = within(read("orders"), "o_orderdate", day(1995, 1, 1), day(1997, 1, 1))
    nations = read("nation")
    sellers = nations[["n_nationkey", "n_name"]]
    sellers = sellers.rename(columns={"n_nationkey": "seller_key", "n_name": "seller"})
    joined = (
        parts.merge(read("lineitem"), left_on="p_partkey", right_on="l_partkey")
        .merge(orders, left_on="l_orderkey", right_on="o_orderkey")
        .merge(read("customer"), left_on="o_custkey", right_on="c_custkey")
        .merge(nations, left_on="c_nationkey", right_on="n_nationkey")
        .merge(regions, left_on="n_regionkey", right_on="r_regionkey")
        .merge(read("supplier"), left_on="l_suppkey", right_on="s_suppkey")
        .merge(sellers, left_on="s_nationkey", right_on="seller_key")
    )
    joined = with_revenue(joined)
    joined["o_year"] = joined.o_orderdate.dt.year
    joined["own"] = joined.revenue.where(joined.seller == "BRAZIL", 0.0)
    total = joined.groupby("o_year")[["own", "revenue"]].sum().reset_index()
    total["mkt_share"] = total.own / total.revenue
    return total[["o_year", "mkt_share"]].sort_values("o_year")


def q9(read: Read) -> Any:
    parts = read("part")
    parts = parts[parts.p_name.str.contains("green", regex=False)]
    joined = (
        parts.merge(read("lineitem"), left_on="p_partkey", right_on="l_partkey")
        .merge(
            read("partsupp"),
            left_on=["l_suppkey", "l_partkey"],
            right_on=["ps_suppkey", "ps_partkey"],
        )
        .merge(read("supplier"), left_on="l_suppkey", right_on="s_suppkey")
        .merge(read("orders"), left_on="l_orderkey", right_on="o_orderkey")
        .merge(read("nation"), left_on="s_nationkey", right_on="n_nationkey")
    )
    joined = with_revenue(joined)
    joined["o_year"] = joined.o_orderdate.dt.year
    joined["sum_profit"] = joined.revenue - joined.ps_supplycost * joined.l_quantity
    joined = joined.rename(columns={"n_name": "nation"})
    total = joined.groupby(["nation", "o_year"])["sum_profit"].sum().reset_index()
    return total.sort_values(["nation", "o_year"], ascending=[True, False])


def q10(read: Read) -> Any:
    orders = within(read("orders"), "o_orderdate", day(1993, 10, 1), day(1994, 1, 1))
    lines = read("lineitem")
    joined = (
        orders.merge(lines[lines.l_returnflag == "R"], left_on="o_orderkey", right_on="l_orderkey")
        .merge(read("customer"), left_on="o_custkey", right_on="c_custkey")
        .merge(read("nation"), left_on="c_nationkey", right_on="n_nationkey")
    )
    by = ["c_custkey", "c_name", "c_acctbal", "c_phone", "n_name", "c_address", "c_comment"]
    total = with_revenue(joined).groupby(by)["revenue"].sum().reset_index()
    total = total.sort_values("revenue", ascending=False)
    columns = ["c_custkey", "c_name", "revenue", "c_acctbal", "n_name", "c_address", "c_phone"]
    return first(total[[*columns, "c_comment"]], 20)


def q11(read: Read) -> Any:
    nations = read("nation")
    joined = (
        read("partsupp")
        .merge(read("supplier"), left_on="ps_suppkey", right_on="s_suppkey")
        .merge(nations[nations.n_name == "GERMANY"], left_on="s_nationkey", right_on="n_nationkey")
    )
    joined["value"] = joined.ps_supplycost * joined.ps_availqty
    total = joined.groupby("ps_partkey")["value"].sum().reset_index()
    total = total[total.value > joined.value.sum() * 0.0001]
    return total.sort_values("value", ascending=False)


def q12(read: Read) -> Any:
    lines = within(read("lineitem"), "l_receiptdate", day(1994, 1, 1), day(1995, 1, 1))
    lines = lines[
        lines.l_shipmode.isin(["MAIL", "SHIP"])
        & (lines.l_commitdate < lines.l_receiptdate)
        & (lines.l_shipdate < lines.l_commitdate)
    ]
    joined = lines.merge(read("orders"), left_on="l_orderkey", right_on="o_orderkey")
    urgent = joined.o_orderpriority.isin(["1-URGENT", "2-HIGH"]).astype("int64")
    joined = joined.assign(high_line_count=urgent, low_line_count=1 - urgent)
    columns = ["high_line_count", "low_line_count"]
    return joined.groupby("l_shipmode")[columns].sum().reset_index().sort_values("l_shipmode")


def q13(read: Read) -> Any:
    orders = read("orders")
    orders = orders[~orders.o_comment.str.contains("special.*requests")]
    joined = read("customer").merge(orders, left_on="c_custkey", right_on="o_custkey", how="left")
    counts = joined.groupby("c_custkey")["o_orderkey"].count().reset_index()
    counts = counts.rename(columns={"o_orderkey": "c_count"})
    found = counts.groupby("c_count")["c_custkey"].count().reset_index()
    found = found.rename(columns={"c_custkey": "custdist"})
    return found.sort_values(["custdist", "c_count"], ascending=[False, False])


def q14(read: Read) -> Any:
    lines = within(read("lineitem"), "l_shipdate", day(1995, 9, 1), day(1995, 10, 1))
    joined = with_revenue(lines.merge(read("part"), left_on="l_partkey", right_on="p_partkey"))
    promoted = joined.revenue.where(joined.p_type.str.startswith("PROMO"), 0.0)
    return 100.0 * promoted.sum() / joined.revenue.sum()


def q15(read: Read) -> Any:
    lines = within(read("lineitem"), "l_shipdate", day(1996, 1, 1), day(1996, 4, 1))
    total = with_revenue(lines).groupby("l_suppkey")["revenue"].sum().reset_index()
    total = total.rename(columns={"revenue": "total_revenue"})
    best = total[total.total_revenue >= total.total_revenue.max() - 0.000001]
    joined = read("supplier").merge(best, left_on="s_suppkey", right_on="l_suppkey")
    columns = ["s_suppkey", "s_name", "s_address", "s_phone", "total_revenue"]
    return joined[columns].sort_values("s_suppkey")


def q16(read: Read) -> Any:
    parts, suppliers = read("part"), read("supplier")
    parts = parts[
        (parts.p_brand != "Brand#45")
        & ~parts.p_type.str.startswith("MEDIUM POLISHED")
        & parts.p_size.isin([49, 14, 23, 45, 19, 3, 36, 9])
    ]
    blamed = suppliers[suppliers.s_comment.str.contains("Customer.*Complaints")][["s_suppkey"]]
    joined = read("partsupp").merge(parts, left_on="ps_partkey", right_on="p_partkey")
    joined = joined.merge(blamed, left_on="ps_suppkey", right_on="s_suppkey", how="left")
    joined = joined[joined.s_suppkey.isna()]
    by = ["p_brand", "p_type", "p_size"]
    counts = joined.groupby(by)["ps_suppkey"].nunique().reset_index()
    counts = counts.rename(columns={"ps_suppkey": "supplier_cnt"})
    return counts.sort_values(["supplier_cnt", *by], ascending=[False, True, True, True])


def q17(read: Read) -> Any:
    parts, lines = read("part"), read("lineitem")
    parts = parts[(parts.p_brand == "Brand#23") & (parts.p_container == "MED BOX")]
    joined = lines.merge(parts, left_on="l_partkey", right_on="p_partkey")
    mean = joined.groupby("p_partkey")["l_quantity"].mean().reset_index()
    mean = mean.rename(columns={"p_partkey": "part", "l_quantity": "mean_quantity"})
    joined = joined.merge(mean, left_on="l_partkey", right_on="part")
    joined = joined[joined.l_quantity < 0.2 * joined.mean_quantity]
    return joined.l_extendedprice.sum() / 7.0


def q18(read: Read) -> Any:
    lines = read("lineitem")
    large = lines.groupby("l_orderkey")["l_quantity"].sum().reset_index()
    large = large[large.l_quantity > 300]
    joined = (
        large.merge(read("orders"), left_on="l_orderkey", right_on="o_orderkey")
        .merge(read("customer"), left_on="o_custkey", right_on="c_custkey")
        .rename(columns={"l_quantity": "quantity"})
    )
    columns = ["c_name", "c_custkey", "o_orderkey", "o_orderdate", "o_totalprice", "quantity"]
    by = ["o_totalprice", "o_orderdate"]
    return first(joined[columns].sort_values(by, ascending=[False, True]), 100)


def q19(read: Read) -> Any:
    lines, parts = read("lineitem"), read("part")
    lines = lines[
        lines.l_shipmode.isin(["AIR", "AIR REG"])
        & (lines.l_shipinstruct == "DELIVER IN PERSON")
        & lines.l_quantity.between(1, 30)
    ]
    joined = lines.merge(
        parts[parts.p_size.between(1, 15)], left_on="l_partkey", right_on="p_partkey"
    )

    def kind(brand: str, containers: list[str], least: int, most: int, size: int) -> Any:
        return (
            (joined.p_brand == brand)
            & joined.p_container.isin(containers)
            & joined.l_quantity.between(least, most)
            & (joined.p_size <= size)
        )

    found = joined[
        kind("Brand#12", ["SM CASE", "SM BOX", "SM PACK", "SM PKG"], 1, 11, 5)
        | kind("Brand#23", ["MED BAG", "MED BOX", "MED PKG", "MED PACK"], 10, 20, 10)
        | kind("Brand#34", ["LG CASE", "LG BOX", "LG PACK", "LG PKG"], 20, 30, 15)
    ]
    return (found.l_extendedprice * (1 - found.l_discount)).sum()


def q20(read: Read) -> Any:
    parts, nations = read("part"), read("nation")
    parts = parts[parts.p_name.str.startswith("forest")][["p_partkey"]]
    lines = within(read("lineitem"), "l_shipdate", day(1994, 1, 1), day(1995, 1, 1))
    offers = read("partsupp").merge(
        parts, left_on="ps_partkey", right_on="p_partkey", how="leftsemi"
    )
    sold = lines.merge(parts, left_on="l_partkey", right_on="p_partkey", how="leftsemi")
    sold = sold.groupby(["l_partkey", "l_suppkey"])["l_quantity"].sum().reset_index()
    offers = offers.merge(
        sold, left_on=["ps_partkey", "ps_suppkey"], right_on=["l_partkey", "l_suppkey"]
    )
    offers = offers[offers.ps_availqty > 0.5 * offers.l_quantity]
    suppliers = read("supplier").merge(
        nations[nations.n_name == "CANADA"], left_on="s_nationkey", right_on="n_nationkey"
    )
    found = suppliers.merge(offers, left_on="s_suppkey", right_on="ps_suppkey", how="leftsemi")
    return found[["s_name", "s_address"]].sort_values("s_name", ignore_index=True)


def q21(read: Read) -> Any:
    lines, orders, nations = read("lineitem"), read("orders"), read("nation")
    late = lines[lines.l_receiptdate > lines.l_commitdate]
    sellers = lines.groupby("l_orderkey")["l_suppkey"].nunique().reset_index()
    sellers = sellers[sellers.l_suppkey > 1].rename(columns={"l_suppkey": "sellers"})
    blamed = late.groupby("l_orderkey")["l_suppkey"].nunique().reset_index()
    blamed = blamed[blamed.l_suppkey == 1].rename(columns={"l_suppkey": "blamed"})
    suppliers = read("supplier").merge(
        nations[nations.n_name == "SAUDI ARABIA"], left_on="s_nationkey", right_on="n_nationkey"
    )
    found = (
        late.merge(suppliers, left_on="l_suppkey", right_on="s_suppkey")
        .merge(orders[orders.o_orderstatus == "F"], left_on="l_orderkey", right_on="o_orderkey")
        .merge(sellers, on="l_orderkey")
        .merge(blamed, on="l_orderkey")
    )
    counts = found.groupby("s_name")["l_orderkey"].count().reset_index()
    counts = counts.rename(columns={"l_orderkey": "numwait"})
    return first(counts.sort_values(["numwait", "s_name"], ascending=[False, True]), 100)


def q22(read: Read) -> Any:
    customers, orders = read("customer"), read("orders")
    customers = customers.assign(cntrycode=customers.c_phone.str.slice(0, 2))
    customers = customers[customers.cntrycode.isin(["13", "31", "23", "29", "30", "18", "17"])]
    mean = customers[customers.c_acctbal > 0.0].c_acctbal.mean()
    rich = customers[customers.c_acctbal > mean]
    active = orders[["o_custkey"]].drop_duplicates()
    joined = rich.merge(active, left_on="c_custkey", right_on="o_custkey", how="left")
    idle = joined[joined.o_custkey.isna()]
    total = idle.groupby("cntrycode").agg(
        numcust=("c_acctbal", "count"), totacctbal=("c_acctbal", "sum")
    )
    return total.reset_index().sort_values("cntrycode")


ALL = (q1, q2, q3, q4, q5, q6, q7, q8, q9, q10, q11, q12, q13, q14, q15, q16, q17, q18, q19, q20)
FRAME_QUERIES: dict[int, Callable[[Read], Any]] = dict(enumerate((*ALL, q21, q22), start=1))
