"""Phones, e-mail and street addresses go; what an order is proven with stays."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_bot.masking import ADDRESS, EMAIL, PHONE, mask

PHONES = """
13800138000
138 0013 8000
138-0013-8000
+86 13800138000
+8613800138000
0086-13800138000
１３８００１３８０００
＋８６　１３８－００１３－８０００
138****1234
138 **** 1234
138●●●●1234
13812345678转1234
13812345678-1234
010-88886666
(0755) 8888 6666
（０１０）８８８８６６６６
0571 8888 6666
400-123-4567
090-1234-5678
03-1234-5678
+81 90-1234-5678
０９０－１２３４－５６７８
09012345678
0120-123-456
010-1234-5678
02-123-4567
+82 10-1234-5678
010-****-5678
01012345678
(415) 555-0133
415-555-0133
415.555.0133
+1 415 555 0133
1-800-555-0199
+44 20 7946 0958
"""
EMAILS = """
zhang@qq.com
zhang.san@example.com.cn
j***@example.com
ｚｈａｎｇ＠ｑｑ．ｃｏｍ
user.name+tag@example.co.uk
用户@例子.广告
josé@example.com
"""
ADDRESSES = """
浙江省杭州市西湖区文三路478号华星时代广场A座1201室
北京市朝阳区建国路88号SOHO现代城3号楼2单元501
广东省深圳市南山区粤海街道
上海市浦东新区张江高科技园区祖冲之路２２９０弄１号３０２室
阳光花园3栋2单元501室
建国路88号
香港九龙弥敦道100号
東京都渋谷区神南1-2-3
東京都渋谷区神南１丁目２番３号 青山ビル305号室
〒150-0041
大阪府大阪市北区梅田3-1-1
서울특별시 강남구 테헤란로 152
경기도 성남시 분당구 판교역로 235, 101동 1203호
1600 Amphitheatre Parkway, Mountain View, CA 94043
221B Baker Street
350 Fifth Ave, Apt 12, New York, NY 10118
PO Box 123
"""
HARMLESS = """
订单号：4021338819123456789
4021338819123456789
订单编号 202605011234567890
20268633688652
4021 3388 1912 3456 78
1381234567890123
112-1234567-1234567
123456-20240501-0123456789
微信支付 4200001234202605011234567890
¥129.90
实付款 ¥1,299.00
共2件 合计¥258.00
2024-05-01 12:30:45
2024/05/01 09:05
01-02-2024
下单时间：2026-05-01 12:33:20
2026年5月1日 12:33
SF1381234567890
YT8812345678901
1Z999AA10123456784
运单号 13812345678
订单号：15012345678
订单 0123456789
Order No. 4021338819
주문번호 20240501-1234567
注文番号：123456-20240501-0123456789
【杭州市】快件已到达 杭州转运中心
您的包裹已由杭州市西湖区发出
杭州市西湖区的仓库预计5月3号发出
我知道1号发货
线路1号
预计5月3日送达
已付款，等待卖家发货
优惠券满300减50
7天无理由退货
37码 黑色 240mm
地址错了怎么改
바로 3일 후 배송
2 items on the way
your order is on the way
iPhone 15 Pro Max 256GB 9999
12.5 x 30.0 cm
turn 12 done
"""


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


@pytest.mark.parametrize(
    ("said", "word"),
    [(t, PHONE) for t in lines(PHONES)]
    + [(t, EMAIL) for t in lines(EMAILS)]
    + [(t, ADDRESS) for t in lines(ADDRESSES)],
)
def test_contacts_and_addresses_go_wherever_they_stand(said: str, word: str) -> None:
    around = "{}" if word is ADDRESS else "谢谢 {}，请联系"
    for text in (said, f"({said})" if word is EMAIL else said, around.format(said), f"a\n{said}\nb"):
        masked = mask(text)
        assert word in masked, masked
        assert said not in masked
        assert mask(masked) == masked


@pytest.mark.parametrize("text", lines(HARMLESS))
def test_order_numbers_amounts_times_and_plain_words_stay(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("收货地址：浙江省杭州市西湖区文三路478号", "收货地址：<address>"),
        ("收货地址: 某某村口小卖部 订单号 4021338819123456789", "收货地址: <address> 订单号 4021338819123456789"),
        ("广东省深圳市南山区样板街66号A座", "<address>"),
        ("お届け先：梅田三丁目のマンション", "お届け先：<address>"),
        ("배송지: 부산 해운대구 우동 1412", "배송지: <address>"),
        ("Ship to: 12 Rue de la Paix, Paris", "Ship to: <address>"),
        ("联系电话：88886666", "联系电话：<phone>"),
        ("Tel 5553 1234", "Tel <phone>"),
        ("张三 13800138000 订单号 4021338819123456789", "张三 <phone> 订单号 4021338819123456789"),
        ("13800138000 2026-05-01 12:00", "<phone> 2026-05-01 12:00"),
        ("手机13800138000邮箱a@b.cn", "手机<phone>邮箱<e-mail>"),
    ],
)
def test_the_rest_of_the_line_stays_readable(text: str, masked: str) -> None:
    assert mask(text) == masked


@given(st.text(max_size=200))
def test_any_text_can_be_masked_and_is_masked_once(text: str) -> None:
    masked = mask(text)
    assert mask(masked) == masked


@given(st.integers(10**17, 10**19 - 1))
def test_no_order_number_of_18_or_19_digits_is_taken_for_a_phone(number: int) -> None:
    assert mask(f"订单编号：{number}") == f"订单编号：{number}"
    assert mask(str(number)) == str(number)


@pytest.mark.parametrize(
    "text",
    [
        "市区县路" * 500,
        "一二三省四五市六七区八九路" * 150,
        "東京都市区町村" * 300,
        "1*" * 1000,
        "地址：" * 600,
        "a@" * 1000,
    ],
)
def test_no_text_takes_long(text: str) -> None:
    begun = time.perf_counter()
    mask(text)
    assert time.perf_counter() - begun < 1.0
