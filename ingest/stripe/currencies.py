"""How many decimals the API gives each currency: what turns a report's major units into minor ones.

Belongs here: the exponents Stripe's API uses. Does not belong here: amounts. A currency that is not
listed has no exponent here; its rows are refused, never guessed.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

__all__ = ["API_EXPONENTS"]

_ZERO: Final = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf"
# Without decimals in life, but with two in the API.
_WHOLE_WITH_TWO: Final = "isk ugx"
_TWO: Final = (
    "aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad "
    "cdf chf cny cop crc cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl "
    "htg huf idr ils inr jmd kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur "
    "mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd "
    "scr sek sgd shp sle sos srd std szl thb tjs top try ttd twd tzs uah usd uyu uzs wst xcd yer "
    "zar zmw"
)
_THREE: Final = "bhd jod kwd omr tnd"

API_EXPONENTS: Final = MappingProxyType(
    dict.fromkeys(_ZERO.split(), 0)
    | dict.fromkeys(f"{_WHOLE_WITH_TWO} {_TWO}".split(), 2)
    | dict.fromkeys(_THREE.split(), 3)
)
