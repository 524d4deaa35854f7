"""What holds for all tests."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]

# Time is not what these tests are about: a busy machine draws examples slowly, and that is no failure.
settings.register_profile("aimock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("aimock")
