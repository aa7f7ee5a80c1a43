import pytest
import torch

from ae import LSTM_AE
from ae.initialisation import initialise_


def test_the_heads_have_their_shapes():
    output = LSTM_AE(input_size=28, hidden_size=16, output_size=28, labels=10)(torch.rand(4, 9, 28))
    assert output.reconstruction_BTO.shape == (4, 9, 28)
    assert output.logits_BC.shape == (4, 10)
    assert LSTM_AE(1, 8, 1)(torch.rand(2, 5, 1)).logits_BC is None


def test_everything_decoded_comes_through_the_context_vector():
    model = LSTM_AE(input_size=3, hidden_size=5, output_size=3)
    inputs = torch.rand(1, 7, 3)
    _, (last_hidden, _) = model.encoder(inputs)
    decoded, _ = model.decoder(last_hidden[0].unsqueeze(1).repeat(1, 7, 1))
    torch.testing.assert_close(model(inputs).reconstruction_BTO, model.reconstruct(decoded))
    torch.testing.assert_close(model.encode(inputs), last_hidden[0])


def test_orthogonal_start_remembers_and_keeps_norms():
    model = initialise_(LSTM_AE(3, 8, 3), "orthogonal")
    for lstm in (model.encoder, model.decoder):
        for gate in lstm.weight_hh_l0.chunk(4):
            torch.testing.assert_close(gate @ gate.T, torch.eye(8), atol=1e-5, rtol=0)
        forget = (lstm.bias_ih_l0 + lstm.bias_hh_l0).chunk(4)[1]
        torch.testing.assert_close(forget, torch.ones(8))


def test_the_chrono_start_gives_memories_from_1_to_1000_steps():
    model = initialise_(LSTM_AE(3, 400, 3), "chrono")
    for lstm in (model.encoder, model.decoder):
        input_gate, forget_gate = (lstm.bias_ih_l0 + lstm.bias_hh_l0).chunk(4)[:2]
        torch.testing.assert_close(input_gate, -forget_gate)
        memories = forget_gate.exp()
        assert 1 <= memories.min() < 20
        assert 950 < memories.max() <= 999


def test_an_unknown_start_is_refused():
    with pytest.raises(ValueError, match="init must be one of uniform, orthogonal, chrono"):
        initialise_(LSTM_AE(1, 2, 1), "zeros")
