import unittest

from {{name_snake}} import {{type}}
from vbench_plugin.testing import open_backend, request


class {{type}}Test(unittest.TestCase):
    def test_a_request_holds_prompt_and_length(self):
        backend = open_backend({{type}}, {"prefix": "> "}, sampling={"temperature": 0})
        body = backend.build(request("hello", 16))
        self.assertEqual((body["prompt"], body["max_tokens"], body["temperature"]), ("> hello", 16, 0))
        self.assertEqual(backend.endpoint().path, "/v1/completions")


if __name__ == "__main__":
    unittest.main()
