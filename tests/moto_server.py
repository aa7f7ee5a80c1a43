"""moto's server, which starts as many instances as are asked for at most, as EC2 does; moto itself starts the least."""

import sys

from moto.ec2.responses.instances import InstanceResponse
from moto.server import main

original = InstanceResponse._get_param


def as_many_as_there_may_be(self, name, *rest, **options):
    """The greater number of the two."""
    return original(self, "MaxCount" if name == "MinCount" else name, *rest, **options)


InstanceResponse._get_param = as_many_as_there_may_be
main(["-H", sys.argv[1], "-p", sys.argv[2]])
