"""What the demo shop sells and prints: goods, people, places, carriers, status words of each look."""

from cs_bot.records import OrderStatus as S

# name, specification, price in the look's currency, drawing (a block of pages/art.html)
GOODS: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    "zh": (
        ("哑光陶瓷马克杯 大容量情侣水杯", "奶白色 380ml", "39.90", "mug"),
        ("重磅纯棉圆领T恤 男女同款宽松短袖", "藏青色 L码", "79.00", "shirt"),
        ("北欧风护眼台灯 卧室床头灯", "暖光三档", "128.00", "lamp"),
        ("加厚珊瑚绒毛毯 沙发盖毯", "1.5×2.0米 奶茶色", "109.00", "blanket"),
        ("轻便透气跑步鞋 网面运动鞋", "白粉色 38码", "219.00", "shoe"),
        ("帆布托特包 大容量通勤单肩包", "橄榄绿", "69.90", "bag"),
        ("无线蓝牙耳机 入耳式降噪", "星空黑", "199.00", "earbuds"),
        ("中筒纯棉袜 男女秋冬款", "混色 五双装", "29.90", "socks"),
        ("儿童绘本 睡前故事书", "全10册 注音版", "88.00", "book"),
        ("便携保温杯 304不锈钢", "雾霾蓝 500ml", "59.90", "bottle"),
    ),
    "en": (
        ("Stoneware Coffee Mug, 12 oz", "Speckled White", "18.50", "mug"),
        ("Heavyweight Cotton T-Shirt", "Navy / L", "24.00", "shirt"),
        ("LED Desk Lamp with Dimmer", "Warm White", "42.90", "lamp"),
        ("Weighted Throw Blanket, 60x80 in", "Oat", "64.00", "blanket"),
        ("Trail Running Shoes", "Rose / US 7.5", "89.95", "shoe"),
        ("Waxed Canvas Tote Bag", "Olive", "48.00", "bag"),
        ("Wireless Earbuds, Noise Cancelling", "Black", "59.99", "earbuds"),
        ("Merino Crew Socks (3-Pack)", "Charcoal / M", "27.00", "socks"),
        ("Insulated Steel Bottle, 17 oz", "Dusty Blue", "21.75", "bottle"),
    ),
    "ja": (
        ("陶器マグカップ 380ml", "アイボリー", "1980", "mug"),
        ("綿100% 半袖Tシャツ", "ネイビー / L", "2480", "shirt"),
        ("北欧風 デスクライト", "電球色", "4980", "lamp"),
        ("帆布トートバッグ", "オリーブ", "3280", "bag"),
        ("ステンレスボトル 500ml", "ブルーグレー", "2780", "bottle"),
    ),
}
PEOPLE = {
    "zh": ("张三", "李四", "王女士", "陈先生", "赵女士", "周先生", "吴女士", "孙先生"),
    "en": ("Alex Smith", "Jane Doe", "Sam Taylor", "Chris Brown", "Pat Miller", "Robin Clark"),
    "ja": ("山田 太郎", "佐藤 花子", "鈴木 一郎"),
}
PLACES = {
    "zh": ("浙江省杭州市西湖区示例路12号3幢502室", "广东省深圳市南山区样板街66号A座", "四川省成都市武侯区演示大道9号"),
    "en": ("48 Example Street, Springfield, IL 62704", "1200 Sample Ave, Portland, OR 97205"),
    "ja": ("東京都世田谷区見本町2-11-20", "大阪府大阪市北区見本1-3-1"),
}
SHOP_NAMES = {"zh": "小满生活馆", "en": "Harbor & Pine", "ja": "はるかぜ商店"}
CARRIERS: dict[str, tuple[tuple[str, str], ...]] = {  # name, pattern of a tracking number
    "zh": (("中通快递", "78############"), ("顺丰速运", "SF#############"), ("圆通速递", "YT#############")),
    "en": (("UPS", "1Z9997W#0#########"), ("USPS", "94001###############")),
    "ja": (("ヤマト運輸", "4###-####-####"), ("佐川急便", "5###-####-####")),
}
LOOKS: dict[str, tuple[str, str]] = {  # look: language, currency
    "taobao": ("zh", "CNY"),
    "jd": ("zh", "CNY"),
    "pdd": ("zh", "CNY"),
    "douyin": ("zh", "CNY"),
    "wechat": ("zh", "CNY"),
    "shopify": ("en", "USD"),
    "amazon": ("en", "USD"),
    "amazon_ja": ("ja", "JPY"),
    "rakuten": ("ja", "JPY"),
}
_ORDER = (S.PENDING_PAYMENT, S.PAID, S.SHIPPED, S.DELIVERED, S.COMPLETED, S.CANCELLED, S.REFUNDING, S.REFUNDED)
_WORDS: dict[str, tuple[str, ...]] = {
    "taobao": ("等待买家付款", "买家已付款", "卖家已发货", "已签收", "交易成功", "交易关闭", "退款中", "退款成功"),
    "jd": ("等待付款", "待发货", "待收货", "已签收", "已完成", "已取消", "退款中", "已退款"),
    "pdd": ("待付款", "待发货", "待收货", "已签收", "交易成功", "交易已取消", "退款中", "退款成功"),
    "douyin": ("待付款", "待发货", "已发货", "已签收", "已完成", "交易关闭", "退款中", "退款成功"),
    "wechat": ("待付款", "待发货", "待收货", "已签收", "已完成", "已取消", "退款中", "已退款"),
    "shopify": (
        "Payment pending",
        "Confirmed",
        "On its way",
        "Delivered",
        "Completed",
        "Canceled",
        "Refund pending",
        "Refunded",
    ),
    "amazon": (
        "Payment pending",
        "Preparing for shipment",
        "Shipped",
        "Delivered",
        "Completed",
        "Cancelled",
        "Refund in progress",
        "Refunded",
    ),
    "amazon_ja": (
        "お支払い待ち",
        "発送準備中",
        "発送済み",
        "配達済み",
        "完了",
        "キャンセル済み",
        "返金処理中",
        "返金済み",
    ),
    "rakuten": (
        "お支払い待ち",
        "発送準備中",
        "発送済み",
        "配達完了",
        "取引完了",
        "キャンセル済み",
        "返金処理中",
        "返金済み",
    ),
}
STATUS_WORDS: dict[str, dict[S, str]] = {look: dict(zip(_ORDER, words, strict=True)) for look, words in _WORDS.items()}
