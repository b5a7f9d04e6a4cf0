// jwt_test: tokens that another library signed, good ones and each kind of bad one.
#include "core/auth/jwt.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

// The Ed25519 key is RFC 8037 A.2's; the others were made for this test. None is in use.
static const char jwks[] =
    "{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\",\"kid\":\"hmac\"},{\"kty\":\"RSA\",\"kid\":\"small\",\"n\":"
    "\"31nxOKZGq2x_2CQh4"
    "qKUP916F7eOf1qoEpfGsznza3SZWTv94j-f3_7GnFgHZNHcwi7DBRw1Y-GxnsZfEfWkaDn7xv5CGAabEtuXT4yn65_u1iBBH4P0D"
    "iXrEs75InfsSCFro9I8DiDyADhH1k2clXtQWX-XWV822JY5Z4Spiwc\",\"e\":\"AQAB\"},{\"kty\":\"RSA\",\"kid\":\"enc\",\"use\":"
    "\""
    "enc\",\"n\":\"q-DK2PiR0i7Ce5VWZwNFUlvkEgEEGBrP53yLmTRxg-kUVWhrY7AWjTazbu_ESD7Aj24vT00ZlG1hEL2VYxATPbc6Gz"
    "fEJTxROyVQuEcP2BiXhKnr-8T4piRlCVcVmKUi3N0oIuAwjws-4-eCOQ0EG06NcF293_9OoMenCpNp8OlGyDAEoE0-6TYS0qD1Pj"
    "hgLWTmqX-WnDTGSstQs8LuZ9eZKplH51HF0OyMI9eoVT3U2Qkp4q6-9cVlEjRXccrKz6oCEJeEDdxz4royLW-doPKK3hIbbnrScM"
    "qLE0DwKEX4AYbSGS00-UDZHe0kMC18li1ZdgdfE2nW2SVz6iknNQ\",\"e\":\"AQAB\"},{\"kty\":\"RSA\",\"kid\":\"rsa\",\"use\":"
    "\"si"
    "g\",\"n\":\"q-DK2PiR0i7Ce5VWZwNFUlvkEgEEGBrP53yLmTRxg-kUVWhrY7AWjTazbu_ESD7Aj24vT00ZlG1hEL2VYxATPbc6GzfE"
    "JTxROyVQuEcP2BiXhKnr-8T4piRlCVcVmKUi3N0oIuAwjws-4-eCOQ0EG06NcF293_9OoMenCpNp8OlGyDAEoE0-6TYS0qD1Pjhg"
    "LWTmqX-WnDTGSstQs8LuZ9eZKplH51HF0OyMI9eoVT3U2Qkp4q6-9cVlEjRXccrKz6oCEJeEDdxz4royLW-doPKK3hIbbnrScMqL"
    "E0DwKEX4AYbSGS00-UDZHe0kMC18li1ZdgdfE2nW2SVz6iknNQ\",\"e\":\"AQAB\"},{\"kty\":\"EC\",\"kid\":\"ec\",\"crv\":\"P-"
    "256\""
    ",\"alg\":\"ES256\",\"key_ops\":[\"verify\"],\"x\":\"ZcQa_5OkCtsGA8g73Mol5vdKUUZBA1aWfudbish5x28\",\"y\":"
    "\"CnGZDmTKw"
    "fQvXtDkEBxWb9jxvB1b1H3fdu77UU1845I\"},{\"kty\":\"EC\",\"kid\":\"off\",\"crv\":\"P-256\",\"x\":\"ZcQa_"
    "5OkCtsGA8g73Mol"
    "5vdKUUZBA1aWfudbish5x28\",\"y\":\"ZcQa_5OkCtsGA8g73Mol5vdKUUZBA1aWfudbish5x28\"},{\"kty\":\"OKP\",\"crv\":\"Ed25"
    "519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

static const struct {
    const char *name, *token, *mistake; // mistake NULL: it is good
} tokens[] = {
    {"RS256",
     "eyJhbGciOiAiUlMyNTYiLCAia2lkIjogInJzYSIsICJ0eXAiOiAiSldUIn0.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwg"
     "ImF1ZCI6ICJtYWlsIiwgImV4cCI6IDIwMDAwMDAwMDAsICJlbWFpbCI6ICJhbGljZUBleGFtcGxlLm9yZyJ9.CWpaihHli_a9BBh"
     "ltE1U6tIEmrER6VnWYiOK7gySxVWv6aJ4t7wPbkMwv2uYEgjx5nMjz29hh_4kjIE8opszfSe4GNX9If71c6KyR2WtZ6h3dkaG-5e"
     "LjdoXumld-tGuAXOa_Ikt59ba2LG4fd3Hw3xFuwvR_74bKNw3P2OJylI8OKMqjJCjv4-CEa8AchHYLbEtXZV7rBfkTZCkw_QHcYU"
     "Kn0NRtYmJsUi1sM4IKBORaQ_JDy3u3QhRBLiiNo5pD8q_Y8v0VJ7G1TV5Cr5-_i-goMDgeuDUez_dwacRQhHVsyJyE8fP8x2EPvD"
     "EOOo77bJnI8S4yHoXxoTlztSzqA",
     NULL},
    {"PS256",
     "eyJhbGciOiAiUFMyNTYiLCAia2lkIjogInJzYSJ9.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJtYWlsIiw"
     "gImV4cCI6IDIwMDAwMDAwMDAsICJlbWFpbCI6ICJhbGljZUBleGFtcGxlLm9yZyJ9.AsgWfabvWp1C0RjBtjaGWKim612Al80mDJ"
     "yzL630y1HRKTY2sYwwNquOaCRJpnlyzH-GZF_rkfPr35n0Ayz2DWDRy5X598ApTCPJUsdB1bcK4e4dnhnAz1fjU4bMvZah0_YT04"
     "HVr820Dtb8RWg6xysmL0x6W-VHOkRd6FZwv5UsgtXGO33oDx26Jql3n7G3Dg7ntGN_qYoKn33xshurgx0Wu8MskLwJAwoTFPbMWf"
     "mjd06VQDlIH1MsOukcD4ibAPBiqhEBbwd9i0jEZGDtOE-P--edP-wnE6MPtgGwrTK4ZrmqG4kiLvcxBs50730Up1svgx3BqJjhhU"
     "OKLs5fmw",
     NULL},
    {"ES256",
     "eyJhbGciOiAiRVMyNTYiLCAia2lkIjogImVjIn0.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJtYWlsIiwg"
     "ImV4cCI6IDIwMDAwMDAwMDAsICJlbWFpbCI6ICJhbGljZUBleGFtcGxlLm9yZyJ9.08k6LXwZbMoUqddtT_LRn8RnPiH3wKiwmRY"
     "bXVgudpJDG1O9gzYNHKDG0KhF3_lTYu2hfW9OSMHCltaXmz-WOw",
     NULL},
    {"EdDSA, a key without id",
     "eyJhbGciOiAiRWREU0EiLCAia2lkIjogInNvbWUifQ.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJtYWlsI"
     "iwgImV4cCI6IDIwMDAwMDAwMDAsICJlbWFpbCI6ICJhbGljZUBleGFtcGxlLm9yZyJ9.HH70tsPJnfxRKUkgHmoc7L5YmfwYi0mE"
     "QTt5OiezN7kKrXDhUCtbTKwjL61dQHpxeHBwZdXFUUpBtypqaF3aCQ",
     NULL},
    {"no kid",
     "eyJhbGciOiAiRWREU0EifQ.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJtYWlsIiwgImV4cCI6IDIwMDAwM"
     "DAwMDAsICJlbWFpbCI6ICJhbGljZUBleGFtcGxlLm9yZyJ9.wS3SNkaJKu3r6H7OeXZLTAP3x5CyySGMHOFSJifN8GHOrZX__XEk"
     "R2WP1a8MNYzKzsi0I_WQTmGAhPFmTQV8Bg",
     NULL},
    {"no kid, one of the keys",
     "eyJhbGciOiAiUlMyNTYifQ.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJtYWlsIiwgImV4cCI6IDIwMDAwM"
     "DAwMDAsICJlbWFpbCI6ICJhbGljZUBleGFtcGxlLm9yZyJ9.nzmHgJtw2Oixv4ZEuUeS0hvNEPfFS1r2JVBUBFi4qNFU-bA9cqJX"
     "nlK3y6AUgdLCqR-EIPpJyP_7cajE8uHXyyLSaVh-09K1TWuPANqwF-vAMAHyMVYu-tCouN-9FGVXUzrNFu4FRHm1oJHVEBHBVbgI"
     "l4YChIa0Vv6s-mEQAiGYH9UbXVsPdZ-x5J4CgivSLC1RzRpHN9Ijd1E4lOy68qW4632nBwTHumsDUUqzk933eWaJ_tUvZv7SSHkm"
     "AWh3MnESN5pFkUBVLnJsSlQ3TCbqsqe5Y1RUb8MQzjGRcGryC76zF9ldSERZQHLNLeoBjCG_QWRzQo8fLUirtU9rhg",
     NULL},
    {"a list of audiences",
     "eyJhbGciOiAiRWREU0EifQ.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6IFsieCIsICJtYWlsIl0sICJleHAiO"
     "iAyMDAwMDAwMDAwLCAiZW1haWwiOiAiYWxpY2VAZXhhbXBsZS5vcmcifQ.FzjOSVSOJ1QrDIxZ0EZq-XCyS8Mccsbpl1VQkHQPF6"
     "LckXQvde7CGg_Zxc9T9ebdUQ6jOtgpeH7CuBot1MXSBg",
     NULL},
    {"expired a moment ago",
     "eyJhbGciOiAiRWREU0EifQ.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJtYWlsIiwgImV4cCI6IDE2OTk5O"
     "Tk5NDEsICJlbWFpbCI6ICJhbGljZUBleGFtcGxlLm9yZyJ9.oSdYF-azOgaZTB8KkkD6HB3rc7OFFA56Xsn1dA_DT-jOjZe611mO"
     "dG3kUszQgZCEjI8GIlHTYhECW3CEq6xPBA",
     NULL},
    {"valid in a moment",
     "eyJhbGciOiAiRWREU0EifQ.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJtYWlsIiwgImV4cCI6IDIwMDAwM"
     "DAwMDAsICJlbWFpbCI6ICJhbGljZUBleGFtcGxlLm9yZyIsICJuYmYiOiAxNzAwMDAwMDYwfQ.yXjrgEuQEEp5aHeCnI4sX-vXO_"
     "M35kNfnysYxKfYwlLH5fc29nAetXb4uv1Y449HAqoLWvyu8e6oNrBO8MlKAQ",
     NULL},
    {"a fraction",
     "eyJhbGciOiAiRWREU0EifQ.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJtYWlsIiwgImV4cCI6IDE3MDAwM"
     "DAwMDAuNSwgImVtYWlsIjogImFsaWNlQGV4YW1wbGUub3JnIn0.ZVtaIZbu3o8Fa0mHNL2GbSAYmq_6SIBHVKjCrEvLdWIJ9hfyX"
     "w0yBsUfvfEgdcNhT7f7bw75Tx40FkgUURApCw",
     NULL},
    {"email_verified",
     "eyJhbGciOiAiRWREU0EifQ.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJtYWlsIiwgImV4cCI6IDIwMDAwM"
     "DAwMDAsICJlbWFpbCI6ICJhbGljZUBleGFtcGxlLm9yZyIsICJlbWFpbF92ZXJpZmllZCI6IHRydWV9.TP5SOPoxSCqowAhb7Wop"
     "d66XWVo84FfUkl_JqvXaFbUqmNMi2tPcJ14cridSpKHa9pajw71yRqKLHtyBv-wrAQ",
     NULL},
    {"expired",
     "eyJhbGciOiAiRWREU0EifQ.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJtYWlsIiwgImV4cCI6IDE2OTk5O"
     "Tk5NDAsICJlbWFpbCI6ICJhbGljZUBleGFtcGxlLm9yZyJ9.THBEQcQZp1nu5ymxyQDfgO_gbnj7wXlJBPUw7PDsKHZHNbkMyXxo"
     "YFoAK-CjhTVa16YuyOEmMBlFJ9sHd-EMCA",
     "has expired"},
    {"no end",
     "eyJhbGciOiAiRWREU0EifQ.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJtYWlsIiwgImVtYWlsIjogImFsa"
     "WNlQGV4YW1wbGUub3JnIn0.VZQC_Nx6X0zpAq80WneiryqBDhYt8VRL4HicwlQP6Qsp2RvgMDAMhHgSXUcEfNA9nbwhPNaAHq0oa"
     "NaZgMDWCg",
     "(exp)"},
    {"an end in words",
     "eyJhbGciOiAiRWREU0EifQ.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJtYWlsIiwgImV4cCI6ICIyMDAwM"
     "DAwMDAwIiwgImVtYWlsIjogImFsaWNlQGV4YW1wbGUub3JnIn0.mupfaNIlNYroNpN4kcoEVZS7JWLcGkr_tyxZ5C9MflUj0t5Yc"
     "zCvPXgjky2y9IqGEHPZlcrhkGBob3DnYigpCw",
     "(exp)"},
    {"not yet",
     "eyJhbGciOiAiRWREU0EifQ.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJtYWlsIiwgImV4cCI6IDIwMDAwM"
     "DAwMDAsICJlbWFpbCI6ICJhbGljZUBleGFtcGxlLm9yZyIsICJuYmYiOiAxNzAwMDAwMDYxfQ.dOa6SNnwLZcQDGtixFHnGxWbVO"
     "S4sK0jEXs3UnLvmRGzsvmtzi27Jk9HbbRmHRhzIiwufIuUmVurfmk5tapAAw",
     "isn't valid yet"},
    {"another issuer",
     "eyJhbGciOiAiRWREU0EifQ.eyJpc3MiOiAiaHR0cHM6Ly9ldmlsLmV4YW1wbGUiLCAiYXVkIjogIm1haWwiLCAiZXhwIjogMjAwM"
     "DAwMDAwMCwgImVtYWlsIjogImFsaWNlQGV4YW1wbGUub3JnIn0.PO44KyLF6T5IC2ctIis14hSoYmfGyjhqLu53aNSTIjg4gI1hI"
     "XcinHA57gJfkZphRS0hwDe3Qv1vKuW0zGBUDA",
     "another issuer"},
    {"another audience",
     "eyJhbGciOiAiRWREU0EifQ.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6IFsieCJdLCAiZXhwIjogMjAwMDAwM"
     "DAwMCwgImVtYWlsIjogImFsaWNlQGV4YW1wbGUub3JnIn0.EYRngc8g5GjxUWvMRAeUQslEzh9kzWPHnUbtWgjYo4Mws0QqgYwZS"
     "Egsol3dkB3hmMvqYI62P7c8x-iVgK36Aw",
     "another audience"},
    {"no audience",
     "eyJhbGciOiAiRWREU0EifQ.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImV4cCI6IDIwMDAwMDAwMDAsICJlbWFpbCI6I"
     "CJhbGljZUBleGFtcGxlLm9yZyJ9.tXprrPcLWKclnOE8XWDBarCOHTG0Ylv3z1rXiyM4VkXhhd_eS4uMPBt2fuZoilUXS8kMQ8mE"
     "OYCKBBrQALOoAw",
     "another audience"},
    {"no user",
     "eyJhbGciOiAiRWREU0EifQ.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJtYWlsIiwgImV4cCI6IDIwMDAwM"
     "DAwMDB9.KPdeWjcy6i_ZI0PqZxSvDbek3IMT5mHZDt7OioLzCgyAyUaQbF3IxE3pHsmGvxdr1nzeonPnJfNSVHuVFj3ZBg",
     "claim \"email\""},
    {"a user that is a number",
     "eyJhbGciOiAiRWREU0EifQ.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJtYWlsIiwgImV4cCI6IDIwMDAwM"
     "DAwMDAsICJlbWFpbCI6IDd9.FVjGpOXbgOZdVNzc-Y-ok7fAJef8knMBZMFEuaXsDlxes4LBlSQwfDzsshh0t3z63QY8G7EVjmFm"
     "0KsqN_MmDw",
     "claim \"email\""},
    {"email_verified: false",
     "eyJhbGciOiAiRWREU0EifQ.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJtYWlsIiwgImV4cCI6IDIwMDAwM"
     "DAwMDAsICJlbWFpbCI6ICJhbGljZUBleGFtcGxlLm9yZyIsICJlbWFpbF92ZXJpZmllZCI6IGZhbHNlfQ.hFbTpEQEsVaCjq6VvU"
     "KrVOIRUTNORvtEPBqF8eg7ydO5xPKbM7KsUti3UJgLUY_jjre07LsCIIBiR0rNoXD-DA",
     "nobody has verified"},
    {"none",
     "eyJhbGciOiAibm9uZSJ9.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJtYWlsIiwgImV4cCI6IDIwMDAwMDA"
     "wMDAsICJlbWFpbCI6ICJhbGljZUBleGFtcGxlLm9yZyJ9.",
     "an algorithm other"},
    {"HS256 with the public key",
     "eyJhbGciOiAiSFMyNTYiLCAia2lkIjogInJzYSJ9.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJtYWlsIiw"
     "gImV4cCI6IDIwMDAwMDAwMDAsICJlbWFpbCI6ICJhbGljZUBleGFtcGxlLm9yZyJ9.WYacAktrmOeV08Uv166R-ItE6N6KNawfZB"
     "eHJAg37-U",
     "an algorithm other"},
    {"RS256 said to be EdDSA",
     "eyJhbGciOiAiRWREU0EiLCAia2lkIjogInJzYSJ9.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJtYWlsIiw"
     "gImV4cCI6IDIwMDAwMDAwMDAsICJlbWFpbCI6ICJhbGljZUBleGFtcGxlLm9yZyJ9.f3vTVJRGv_GsmLWpZ0nZdy7PYFQPnKWMc4"
     "VjfGSkYIPPmnwmHD_OH7-iluqyCluEMkEHkKEX8zMrijlayAa6ujoSDuYCf8E-IoINyN6OSqES0qAWgKKzUIJrx3v_BBE9FDRmVX"
     "kYAVvWTV45O-opktP9j4q--G_DdSBSXtGIsMtVSo1W1znkk7QlgclNNLXwo9myeIGrCQPT-bcAuRa-bRu6vwo8DT0QqVD4TqsTFj"
     "Du6CgXqOtNBa1EureJa41R06OrV6uSnGR8gm5ppYLMxNBADbKazKQHWej60xX74-8ydB_YX0JBeokQr6bBkrjm9Yzc9Z9PQkBWSP"
     "K1oIlOWg",
     "isn't"},
    {"another kid",
     "eyJhbGciOiAiUlMyNTYiLCAia2lkIjogIm90aGVyIn0.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJtYWls"
     "IiwgImV4cCI6IDIwMDAwMDAwMDAsICJlbWFpbCI6ICJhbGljZUBleGFtcGxlLm9yZyJ9.NzCIs1LF2kIHNMYcE_CmK0-Ojr_Mxtd"
     "JVrrPBGDJuSWq1XtgxG1XrZPVpiJKznuDydNcyYoIqIVB8Wh4LvPC0xw82BtcifXOauVDqhnJBqrOOZ2gDe6fr_nOqQtOW_w35vt"
     "PQEsfzYU0aIXDa0Qh1KOg1TUs2zHHRgvAvGjdF8J--S2nbiyV5ZyVWeXPntybcYVc1nKTOAuk2xy1RAk9vWOHMAyg7TEl-lxfKue"
     "TGQlgkEM2-mIucTGnQKYO2NTFTN8SkThVLuVp5W7fz28ezirmTaxoz5mEfZpIdXmFpNqFWRzB0TGOs05ZNy15Yqzvuk2g_c6jv4Y"
     "vpsBkYWDCnQ",
     "a key that isn't ours"},
    {"a key for encryption",
     "eyJhbGciOiAiUlMyNTYiLCAia2lkIjogImVuYyJ9.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJtYWlsIiw"
     "gImV4cCI6IDIwMDAwMDAwMDAsICJlbWFpbCI6ICJhbGljZUBleGFtcGxlLm9yZyJ9.Dq8JgzSaFUq7Ycn7eIIy5yfizw2j1kv9TG"
     "KHWHnchvDfUPhGDVR3AQwJLUhKysyxJSPXOQFxLhokYKdnaC1kJ8vsT0D70HaP3E0WlZu6Yx3Lg9v6aTJLXYq2bULJYHbiSQxFRe"
     "3ebonBaODdwkX7tD4lPj8feYeFHxrEcej9l0zhfUZImkPc2AkQ3d12oLVkhnwy-GyIhu83-pK56yDIU-T9HQjjddY61uJg_8WcA0"
     "Qc4IZp-7O7EwqGAqS17l3HbscdyuQqEC6kfsI2DYbXBZbEx19Wg64gpr7Enfxck5pJUlSXGVeWePBzley2Ghv95KF1jrlEw1HZyT"
     "XZHfW5yg",
     "a key that isn't ours"},
    {"PKCS1 said to be PSS",
     "eyJhbGciOiAiUFMyNTYiLCAia2lkIjogInJzYSJ9.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJtYWlsIiw"
     "gImV4cCI6IDIwMDAwMDAwMDAsICJlbWFpbCI6ICJhbGljZUBleGFtcGxlLm9yZyJ9.ZH8fITinp6jUdHwpkltABwyBTL1k-9ht9B"
     "HyG2DzkvDFwkleuPYpgCT01Wg0BvxP4MtLSJS-mtgRsQRVmjpBu_XwJWHzjdx-3s8AhF1Fxl2T92ppGm4YTuIURxx-iO70Bwui88"
     "4DfklmxsLPJ1CRS2b0olyDlNHX25WQUKXTFbmeEiPNCCIjg8wSlvo5Qqh7sEZJ1vmwmuWh8zoNHX64_GTIwm1LcDOkC6-AZrPK79"
     "Y5I-UuMeJLIlQ8Wql_EZNqTU9egxCCoEMA8JXKhpj7A6aeWwVzB0j5BlhUj01WPQwZ2q_4cXiTFyJ_RHQ115tkqIGKPHrHODYYvf"
     "utFxvDIg",
     "isn't by a key of ours"},
    {"crit",
     "eyJhbGciOiAiRWREU0EiLCAiY3JpdCI6IFsiYjY0Il0sICJiNjQiOiBmYWxzZX0.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxl"
     "IiwgImF1ZCI6ICJtYWlsIiwgImV4cCI6IDIwMDAwMDAwMDAsICJlbWFpbCI6ICJhbGljZUBleGFtcGxlLm9yZyJ9.ktYSkMejV9E"
     "urvwgBbbYayWMllSXcoSYxJqKq7TYXGRVkGuRoshkgvbWulCp-8TPoGaBce0n-Iw0-wDzPJziCA",
     "header"},
    {"claims twice",
     "eyJhbGciOiAiRWREU0EifQ.eyJleHAiOjIwMDAwMDAwMDAsImVtYWlsIjoiYSIsImVtYWlsIjoiYiJ9.eUvmq4CpT1nl5LRyLQcD"
     "euiHTAx4erwD53mNL39486EB722_QdDFyba8-BXZTb1LhKAMJzJ-Y2bB9Qb6IKzBCA",
     "no JSON object"},
    {"claims in a list",
     "eyJhbGciOiAiRWREU0EifQ.WyJ4Il0.iEGHATFhOwnb0MNFUAizwlLxpE7C7_JwxhQjEcT9EM6XA0pj30MK9E1r-_PSuxU9nfvbe"
     "LKnzfZMKDp_aVtCCA",
     "no JSON object"},
    {"deep claims",
     "eyJhbGciOiAiRWREU0EifQ.eyJhIjpbW1tbW1tbW1tbW1tbW1tbW1tbW11dXV1dXV1dXV1dXV1dXV1dXV1dfQ._OUQ_cHF1vzLGO"
     "2if-d8NdHHwWer0jTY8nlJCEe9-uM0yv6FXmzh2y8ylhFwlF7Qt-q1har2Y5RdXoi3M_5_DA",
     "no JSON object"},
};

static const struct jwt_wanted wanted = {
    .issuer = {"https://id.example", 18},
    .audience = {"mail", 4},
    .claim = {"email", 5},
    .now = {1700000000LL * MS_SECOND},
};

static struct jwt_keys *keys_of(const char *text) {
    struct err e = {0};
    struct jwt_keys *k = jwt_keys_parse(slice_str(text), &e);
    if (!k)
        fail_msg("%s", e.text);
    return k;
}

static void test_tokens(void **state) {
    struct jwt_keys *keys = keys_of(jwks);
    assert_int_equal(jwt_keys_count(keys), 3); // neither oct, nor too short, nor for encryption, nor off the curve
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        struct arena a ARENA_AUTO = {.max = 4096};
        struct slice user;
        struct err e = {0};
        bool ok = jwt_check(keys, slice_str(tokens[i].token), &wanted, &a, &user, &e);
        if (ok != !tokens[i].mistake || (!ok && (!strstr(e.text, tokens[i].mistake) || e.kind != ERR_PERMANENT)))
            fail_msg("%s: %s", tokens[i].name, ok ? "taken" : e.text);
        if (ok)
            assert_true(slice_eq(user, SLICE("alice@example.org")));
    }
    jwt_keys_free(keys);
}

// Every byte counts.
static void test_changed(void **state) {
    struct jwt_keys *keys = keys_of(jwks);
    char text[2000];
    for (size_t t = 0; t < 4; t++) {
        size_t n = strlen(tokens[t].token);
        for (size_t i = 0; i < n; i += t < 2 ? 7 : 1) {
            struct arena a ARENA_AUTO = {.max = 4096};
            struct slice user;
            memcpy(text, tokens[t].token, n);
            text[i] = text[i] == 'A' ? 'B' : 'A';
            assert_false(jwt_check(keys, slice_of(text, n), &wanted, &a, &user, NULL));
            assert_false(jwt_check(keys, slice_of(tokens[t].token, i), &wanted, &a, &user, NULL));
        }
    }
    jwt_keys_free(keys);
}

static void test_anything_goes(void **state) {
    struct jwt_keys *keys = keys_of(jwks);
    struct arena a ARENA_AUTO = {.max = 4096};
    struct jwt_wanted any = {.claim = SLICE("iss"), .now = {0}};
    struct slice user;
    struct err e;
    assert_true(jwt_check(keys, slice_str(tokens[0].token), &any, &a, &user, &e));
    assert_true(slice_eq(user, SLICE("https://id.example")));
    any.claim = SLICE_EMPTY;
    assert_false(jwt_check(keys, slice_str(tokens[0].token), &any, &a, &user, &e));
    jwt_keys_free(keys);
}

static void test_keys(void **state) {
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"keys\":{}}",
        "{\"keys\":[]}",
        "{\"keys\":[7,null,\"x\"]}",
        "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}",
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AQAB\"}]}",
        "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AQAB\",\"y\":\"AQAB\"}]}",
        "{\"keys\":[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]}",
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]",
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};
        if (jwt_keys_parse(slice_str(bad[i]), &e))
            fail_msg("%s", bad[i]);
        assert_true(e.text[0]);
    }
    jwt_keys_free(NULL);
}

static const struct {
    const char *answer, *user;
    enum err_kind kind;
} answers[] = {
    {"{\"active\":true,\"username\":\"alice\",\"iss\":\"https://id.example\",\"aud\":\"mail\"}", "alice", 0},
    {"{\"active\":true,\"username\":\"alice\",\"iss\":\"https://id.example\",\"aud\":[\"mail\"],\"exp\":1700000000}",
     "alice", 0},
    {"{\"active\":true,\"username\":\"alice\",\"iss\":\"https://id.example\",\"aud\":\"mail\",\"exp\":1699990000}",
     NULL, ERR_PERMANENT},
    {"{\"active\":true,\"username\":\"alice\",\"iss\":\"https://id.example\"}", NULL, ERR_PERMANENT},
    {"{\"active\":true,\"username\":\"alice\",\"aud\":\"mail\"}", NULL, ERR_PERMANENT},
    {"{\"active\":true,\"iss\":\"https://id.example\",\"aud\":\"mail\"}", NULL, ERR_PERMANENT},
    {"{\"active\":false}", NULL, ERR_PERMANENT},
    {"{\"active\":\"true\",\"username\":\"alice\"}", NULL, ERR_TEMPORARY},
    {"{\"username\":\"alice\"}", NULL, ERR_TEMPORARY},
    {"<html>Bad gateway</html>", NULL, ERR_TEMPORARY},
    {"", NULL, ERR_TEMPORARY},
};

static void test_introspection(void **state) {
    struct jwt_wanted w = wanted;
    w.claim = SLICE("username");
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct arena a ARENA_AUTO = {.max = 4096};
        struct slice user;
        struct err e = {0};
        bool ok = jwt_introspection(slice_str(answers[i].answer), &w, &a, &user, &e);
        if (ok != (answers[i].user != NULL) || (!ok && e.kind != answers[i].kind))
            fail_msg("%s: %s", answers[i].answer, e.text);
        if (ok)
            assert_true(slice_eq(user, slice_str(answers[i].user)));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens), cmocka_unit_test(test_changed),       cmocka_unit_test(test_anything_goes),
        cmocka_unit_test(test_keys),   cmocka_unit_test(test_introspection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
