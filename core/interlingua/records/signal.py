"""Fourier transforms, windows and filter banks."""

from interlingua.records import Input, Record, attribute, constant, record_of


def _window(name: str, summary: str) -> Record:
    return record_of(
        name,
        summary,
        [],
        [
            constant("size", meaning="length of the window"),
            attribute("periodic", 1, "periodic, not symmetric"),
            attribute("output_datatype", 1, "element type, as ONNX numbers it"),
        ],
        outputs=[Input("output")],
        synonyms=["window function"],
    )


RECORDS = (
    record_of(
        "DFT",
        "discrete Fourier transform along an axis; the last axis holds real and imaginary parts",
        [Input("input")],
        [
            constant("dft_length", None, "length of the signal, padded or cut"),
            constant("axis", -2, "the axis that is transformed"),
            attribute("inverse", 0, "the inverse transform"),
            attribute("onesided", 0, "only the first half of the spectrum of a real signal"),
        ],
        outputs=[Input("output")],
        synonyms=["fft", "rfft", "ifft", "irfft", "fourier"],
    ),
    record_of(
        "STFT",
        "Fourier transforms of windows that move over a signal",
        [Input("signal"), Input("window", optional=True)],
        [
            constant("frame_step", meaning="step of the window"),
            constant("frame_length", None, "length of a frame"),
            attribute("onesided", 1, "only the first half of the spectrum"),
        ],
        outputs=[Input("output")],
        order=["signal", "frame_step", "window", "frame_length"],
        synonyms=["short-time fourier transform", "spectrogram"],
    ),
    _window("HannWindow", "raised cosine"),
    _window("HammingWindow", "raised cosine that does not reach zero"),
    _window("BlackmanWindow", "sum of three cosines"),
    record_of(
        "MelWeightMatrix",
        "triangular filters that gather frequencies into mel bins",
        [],
        [
            constant("num_mel_bins", meaning="bins of the output"),
            constant("dft_length", meaning="length of the transform"),
            constant("sample_rate", meaning="samples a second"),
            constant("lower_edge_hertz", meaning="lowest frequency"),
            constant("upper_edge_hertz", meaning="highest frequency"),
            attribute("output_datatype", 1, "element type, as ONNX numbers it"),
        ],
        outputs=[Input("output")],
        synonyms=["mel filter bank"],
    ),
)
