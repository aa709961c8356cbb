"""The mixture of requests that the load generator draws from, by a seeded generator."""

import random

from http_wire import Request

PRODUCTS = 200
_WORDS = ("lamp", "chair", "table", "mug", "rug")


def _static(rng: random.Random) -> Request:
    name = rng.choice(("logo.svg", "photo.jpg"))
    return Request("GET", f"/static/{name}", f"/static/{name}")


def _product(rng: random.Random) -> Request:
    return Request("GET", f"/products/{rng.randint(1, PRODUCTS)}", "/products/{id}")


def _missing(rng: random.Random) -> Request:
    return Request("GET", f"/products/{PRODUCTS + rng.randint(1, 99)}", "/products/{id}")


def _search(rng: random.Random) -> Request:
    return Request("GET", f"/search?q={rng.choice(_WORDS)}&page={rng.randint(1, 3)}", "/search")


def _user(rng: random.Random) -> str:
    return f"user{rng.randint(1, 50)}"


def _cart(rng: random.Random) -> Request:
    return Request("GET", f"/cart/{_user(rng)}", "/cart/{user}")


def _add_to_cart(rng: random.Random) -> Request:
    body = str(rng.randint(1, PRODUCTS)).encode()
    return Request("POST", f"/cart/{_user(rng)}", "/cart/{user}", body,
                   expect_continue=rng.random() < 0.1)


def _checkout(rng: random.Random) -> Request:
    return Request("POST", f"/checkout/{_user(rng)}", "/checkout/{user}", b"card=4111111111111111")


def _report(rng: random.Random) -> Request:
    return Request("GET", f"/report/{_user(rng)}", "/report/{user}")


def _page(path: str, method: str = "GET") -> Request:
    return Request(method, path, path)


# (weight, maker)
_MIX = (
    (26, _product), (3, _missing), (14, _cart), (9, _add_to_cart), (9, _checkout), (9, _search),
    (8, _static), (4, _report), (6, lambda rng: _page("/health")), (3, lambda rng: _page("/where")),
    (2, lambda rng: _page("/health", "HEAD")), (3, lambda rng: _page("/")),
    (2, lambda rng: _page("/slow")), (2, lambda rng: _page("/fail")),
    (1, lambda rng: _page("/no/such/page")),
)
_MAKERS = [maker for _, maker in _MIX]
_WEIGHTS = [weight for weight, _ in _MIX]


def draw(rng: random.Random) -> Request:
    return rng.choices(_MAKERS, _WEIGHTS)[0](rng)


def one_of_each(rng: random.Random) -> list[Request]:
    return [maker(rng) for maker in _MAKERS]


def draw_pipeline(rng: random.Random) -> list[Request]:
    """Only requests without a body: a server may stop reading after one."""
    return [rng.choice((_product, _cart, _static))(rng) for _ in range(rng.randint(2, 6))]
