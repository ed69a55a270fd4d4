"""I-FLAG, the protocol of Itron's (before: Actaris') Corus gas volume converters."""

from pipelines.amr.contract import Driver
from pipelines.amr.protocols.iflag.calls import CALLS
from pipelines.amr.protocols.iflag.session import CorusSession

DRIVER = Driver(protocol="i-flag", execution_type="generic_corus_meter", calls=CALLS, session=CorusSession)
