"""The systems that are compared, each in a process of its own that works when asked.

    python benchmarks/contenders.py SYSTEM SOURCE BATCH

says it is ready in one line of JSON, then answers each line that it reads, such as
``{"do": "train", "images": 640}``, with another one. In between it does nothing, so
that of several contenders only one ever works.

Each system has the methods ``ready``, ``train`` (one epoch over so many pictures),
``encode`` (so many pictures) and ``learn`` (epochs over all of them, from a seed, and
the test pictures' reconstructions into a file); times are seconds.
"""

import json
import os
import sys
import time
from functools import cached_property
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from caes import ImageSet, load
from caes.data.labels.labelled import labels_of

Answer = dict[str, Any]


class Contender:
    """What the systems share: pictures, as many as are asked for.

    Args:
        source: What `caes.load` opens: 28×28×1, uint8.
        batch: Pictures a step, in training and in encoding.
    """

    def __init__(self, source: str, batch: int) -> None:
        self.source = source
        self.batch = batch

    @cached_property
    def images(self) -> ImageSet:
        """All pictures to train on."""
        return load(self.source)

    def first(self, count: int) -> ImageSet:
        """Give ``count`` pictures, from the start again where there are fewer."""
        return self.images[np.arange(count) % len(self.images)]

    def unit(self, images: ImageSet) -> NDArray[np.float32]:
        """Give pictures as Keras takes them: N×H×W×C float32 in [0, 1]."""
        return images.pixels.astype(np.float32) / np.float32(255)


class Caes(Contender):
    """The product, by its estimator; every call is timed whole, with its set-up."""

    def ready(self) -> Answer:
        """Tell the number of parameters, and how they are computed with."""
        model = self.fitted.model_
        count = sum(parameter.numel() for parameter in model.parameters())
        return {"parameters": count, "path": model.path}

    def train(self, images: int) -> Answer:
        """Train for one epoch; tell the seconds."""
        pictures = self.first(images)
        start = time.perf_counter()
        self.estimator(epochs=1).fit(pictures)
        return {"seconds": time.perf_counter() - start}

    def encode(self, images: int) -> Answer:
        """Encode; tell the seconds."""
        pictures = self.first(images)
        start = time.perf_counter()
        self.fitted.transform(pictures)
        return {"seconds": time.perf_counter() - start}

    def learn(self, seed: int, epochs: int, out: str) -> Answer:
        """Train anew, write reconstructions; tell seconds and losses by epoch."""
        start = time.perf_counter()
        cae = self.estimator(epochs=epochs, random_state=seed).fit(self.images)
        seconds = time.perf_counter() - start
        np.save(out, cae.reconstruct(load(self.source, "test")))
        losses = [row.loss for row in cae.history_.rows]
        return {"losses": losses, "seconds": seconds}

    @cached_property
    def fitted(self) -> Any:
        """A `CAE` that can encode."""
        return self.estimator(epochs=1).fit(self.first(self.batch))

    def estimator(self, **arguments: Any) -> Any:
        """Give a `CAE` of the example's network and training."""
        from caes import CAE

        defaults = {"recipe": "example", "batch_size": self.batch, "random_state": 0}
        defaults |= {"device": "cpu"}
        return CAE(**{**defaults, **arguments})


class CaesAsLoaded(Caes):
    """The product on the first pictures as they lie, mapped ones without a copy."""

    def first(self, count: int) -> ImageSet:
        """Give a slice; there must be as many."""
        return self.images[:count]


class CaesDecoded(CaesAsLoaded):
    """The same on an array in memory, which all pictures are decoded into at first."""

    @cached_property
    def images(self) -> ImageSet:
        """All pictures to train on."""
        return load(self.source, prepare=False)


class Torch(Contender):
    """The network as PyTorch's users write it, in a bare loop over float32 in memory.

    TORCH_FORM may name channels-last memory, and compile for torch.compile. Training
    is timed from the first step to the last.
    """

    form = os.environ.get("TORCH_FORM", "")

    def ready(self) -> Answer:
        """Tell the number of parameters, and how they are computed with."""
        import torch

        count = sum(each.numel() for each in self.network.parameters())
        threads = torch.get_num_threads()
        return {"parameters": count, "path": f"torch, {threads} thread(s)"}

    def train(self, images: int) -> Answer:
        """Train for one epoch; tell the seconds."""
        from plain_torch import train

        pictures, targets = self.problem(self.first(images))
        objective = self.objective
        start = time.perf_counter()
        train(self.network, objective, pictures, targets, self.batch)
        return {"seconds": time.perf_counter() - start}

    def encode(self, images: int) -> Answer:
        """Encode; tell the seconds."""
        import torch

        pictures, _ = self.problem(self.first(images))
        start = time.perf_counter()
        with torch.inference_mode():
            torch.cat([self.encoder(each) for each in pictures.split(self.batch)])
        return {"seconds": time.perf_counter() - start}

    @cached_property
    def network(self) -> Any:
        """The network, in the memory's order."""
        import torch

        network = self.build()
        if "channels-last" in self.form:
            network.to(memory_format=torch.channels_last)
        return network

    @cached_property
    def objective(self) -> Any:
        """What is made small, compiled or not."""
        return self.compiled(lambda x, y: self.loss(self.network(x), y))

    @cached_property
    def encoder(self) -> Any:
        """The first half of the network, compiled or not."""
        return self.compiled(self.network.encoder.eval())

    def compiled(self, given: Any) -> Any:
        """Compile, where it is asked for."""
        import torch

        return torch.compile(given) if "compile" in self.form else given

    def maps(self, images: ImageSet) -> Any:
        """Give pictures as the network takes them: N×C×H×W in [0, 1]."""
        import torch

        maps = torch.from_numpy(self.unit(images)).permute(0, 3, 1, 2)
        last = "channels-last" in self.form
        order = torch.channels_last if last else torch.contiguous_format
        return maps.contiguous(memory_format=order)

    def build(self) -> Any:
        """Build the network."""
        from plain_torch import PlainAutoencoder

        return PlainAutoencoder()

    def loss(self, logits: Any, targets: Any) -> Any:
        """Give the mean loss over pixels."""
        from torch.nn.functional import binary_cross_entropy_with_logits

        return binary_cross_entropy_with_logits(logits, targets)

    def problem(self, images: ImageSet) -> tuple[Any, Any]:
        """Give pictures, and what comes out is compared with."""
        maps = self.maps(images)
        return maps, maps


class Onnx(Contender):
    """The encoder in ONNX Runtime; ONNX_THREADS says on how many threads."""

    def ready(self) -> Answer:
        """Tell the number of the whole network's parameters, and what computes."""
        from plain_torch import PlainAutoencoder

        count = sum(each.numel() for each in PlainAutoencoder().parameters())
        session = self.session
        return {"parameters": count, "path": ", ".join(session.get_providers())}

    def encode(self, images: int) -> Answer:
        """Encode; tell the seconds."""
        pictures = self.unit(self.first(images)).transpose(0, 3, 1, 2)
        pictures = np.ascontiguousarray(pictures)
        parts = [*range(0, images, self.batch)]
        start = time.perf_counter()
        codes = [
            self.session.run(None, {"pictures": pictures[at : at + self.batch]})[0]
            for at in parts
        ]
        np.concatenate(codes)
        return {"seconds": time.perf_counter() - start}

    @cached_property
    def session(self) -> Any:
        """The encoder, its graph optimised as ONNX Runtime does by default."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ.get("ONNX_THREADS", "0"))
        return onnxruntime.InferenceSession(self.graph(), options)

    def graph(self) -> bytes:
        """Write the encoder as an ONNX graph, with random weights."""
        from onnx import TensorProto, helper, numpy_helper

        random, nodes, weights, before = np.random.default_rng(0), [], [], "pictures"
        for at, (inputs, outputs) in enumerate(((1, 16), (16, 8))):
            shapes = {f"w{at}": (outputs, inputs, 3, 3), f"b{at}": (outputs,)}
            for name, shape in shapes.items():
                values = 0.1 * random.standard_normal(shape, np.float32)
                weights.append(numpy_helper.from_array(values, name))
            c, r, m = (f"{kind}{at}" for kind in ("conv", "relu", "pool"))
            nodes += [
                helper.make_node("Conv", [before, *shapes], [c], pads=[1, 1, 1, 1]),
                helper.make_node("Relu", [c], [r]),
                helper.make_node(
                    "MaxPool", [r], [m], kernel_shape=[2, 2], strides=[2, 2]
                ),
            ]
            before = m
        ends = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])
            for name, shape in (("pictures", (1, 28, 28)), (before, (8, 7, 7)))
        ]
        graph = helper.make_graph(nodes, "encoder", ends[:1], ends[1:], weights)
        opset = [helper.make_opsetid("", 17)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=8)
        return bytes(model.SerializeToString())


class Gemm(Contender):
    """What the machine can do at the moment: a product of fixed matrices."""

    def ready(self) -> Answer:
        """Warm up."""
        return self.multiply()

    def multiply(self) -> Answer:
        """Multiply 1024×1024 by 1024×1024 for half a second; tell Gflop/s."""
        import torch

        a, b = torch.ones(2, 1024, 1024)
        times = []
        end = time.perf_counter() + 0.5
        while (start := time.perf_counter()) < end:
            torch.mm(a, b)
            times.append(time.perf_counter() - start)
        return {"gflops": 2 * 1024**3 / 1e9 / float(np.median(times))}


class Keras(Contender):
    """The example as it is written for Keras, on the backend that KERAS_BACKEND names.

    KERAS_OPTIONS are more arguments of its ``compile``, as JSON.
    Training is timed from the begin of the epoch to its end: what ``fit`` does before,
    up to 0.2 s, is left out, in favour of Keras.
    """

    def ready(self) -> Answer:
        """Tell the number of parameters, and how they are computed with."""
        import keras

        path = f"keras, {keras.backend.backend()}"
        path += ", compiled" * bool(self.network.jit_compile)
        return {"parameters": self.network.count_params(), "path": path}

    def train(self, images: int) -> Answer:
        """Train for one epoch; tell the seconds."""
        from keras.callbacks import LambdaCallback

        times: list[float] = []

        def note(epoch: int, logs: Any) -> None:
            times.append(time.perf_counter())

        clock = LambdaCallback(on_epoch_begin=note, on_epoch_end=note)
        self.fit(self.network, self.unit(self.first(images)), callbacks=[clock])
        return {"seconds": times[1] - times[0]}

    def encode(self, images: int) -> Answer:
        """Encode; tell the seconds."""
        pictures = self.unit(self.first(images))
        start = time.perf_counter()
        self.encoder.predict(pictures, batch_size=self.batch, verbose=0)
        return {"seconds": time.perf_counter() - start}

    def learn(self, seed: int, epochs: int, out: str) -> Answer:
        """Train anew, write reconstructions; tell seconds and losses by epoch."""
        import keras

        keras.utils.set_random_seed(seed)
        network = self.build()
        pictures = self.unit(self.images)
        start = time.perf_counter()
        history = self.fit(network, pictures, epochs=epochs).history
        seconds = time.perf_counter() - start
        test = self.unit(load(self.source, "test"))
        np.save(out, network.predict(test, verbose=0))
        return {"losses": [float(loss) for loss in history["loss"]], "seconds": seconds}

    def fit(self, network: Any, pictures: NDArray[np.float32], **how: Any) -> Any:
        """Call Keras's own ``fit``; give its history."""
        return network.fit(
            pictures, pictures, batch_size=self.batch, shuffle=True, verbose=0, **how
        )

    @cached_property
    def network(self) -> Any:
        """The network that is timed."""
        return self.build()

    def build(self) -> Any:
        """Build and compile the network, weights drawn anew."""
        from keras import Input, Sequential, layers

        relu = {"activation": "relu", "padding": "same"}
        network = Sequential(
            [
                Input((28, 28, 1)),
                layers.Conv2D(16, 3, **relu),
                layers.MaxPooling2D(2, padding="same"),
                layers.Conv2D(8, 3, **relu),
                layers.MaxPooling2D(2, padding="same", name="code"),
                layers.Conv2D(8, 3, **relu),
                layers.UpSampling2D(2),
                layers.Conv2D(16, 3, **relu),
                layers.UpSampling2D(2),
                layers.Conv2D(1, 3, activation="sigmoid", padding="same"),
            ]
        )
        loss = "binary_crossentropy"
        network.compile("adam", loss, metrics=["accuracy"], **self.options)
        return network

    @cached_property
    def encoder(self) -> Any:
        """The first half of the network that is timed."""
        from keras import Model

        encoder = Model(self.network.inputs, self.network.get_layer("code").output)
        if self.options:
            encoder.compile(**self.options)
        return encoder

    @cached_property
    def options(self) -> dict[str, Any]:
        """More arguments of ``compile``."""
        given: dict[str, Any] = json.loads(os.environ.get("KERAS_OPTIONS", "{}"))
        return given


class CaesCnn(Caes):
    """The paper's network with labels, from random weights, by its estimator."""

    def ready(self) -> Answer:
        """Tell the number of parameters, and how they are computed with."""
        model = self.classifier(self.first(self.batch)).model_
        trunk = {id(each) for each in model.trunk.decoder_parameters()}
        used = [each for each in model.parameters() if id(each) not in trunk]
        return {"parameters": sum(each.numel() for each in used), "path": "winograd"}

    def train(self, images: int) -> Answer:
        """Train for one epoch; tell the seconds."""
        pictures = self.first(images)
        start = time.perf_counter()
        self.classifier(pictures)
        return {"seconds": time.perf_counter() - start}

    def classifier(self, pictures: ImageSet) -> Any:
        """Give a classifier trained for one epoch by the paper's recipe."""
        from caes import CAEClassifier

        return CAEClassifier(
            self.stack,
            recipe="paper",
            start="random",
            epochs=1,
            batch_size=self.batch,
            random_state=0,
            device="cpu",
        ).fit(pictures)

    @cached_property
    def stack(self) -> Any:
        """An auto-encoder of the network's form; its weights are not used."""
        from caes import CAE

        form: dict[str, Any] = {
            "decoder": "tied",
            "padding": "valid",
            "activation": "tanh",
        }
        stack = CAE("100C5-MP2-150C5-MP2-200C3", epochs=1, device="cpu", **form)
        return stack.fit(self.first(self.batch))


class TorchCnn(Torch):
    """The paper's network as PyTorch's users write it."""

    def build(self) -> Any:
        """Build the network."""
        from plain_torch import plain_cnn

        return plain_cnn()

    def loss(self, logits: Any, targets: Any) -> Any:
        """Give the mean cross-entropy."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(logits, targets)

    def problem(self, images: ImageSet) -> tuple[Any, Any]:
        """Give pictures, and their classes."""
        import torch

        return self.maps(images), torch.from_numpy(labels_of(images))


class KerasCnn(Keras):
    """The paper's network as it is written for Keras."""

    def fit(self, network: Any, pictures: NDArray[np.float32], **how: Any) -> Any:
        """Call Keras's own ``fit`` with the labels; give its history."""
        labels = labels_of(self.first(len(pictures)))
        return network.fit(
            pictures, labels, batch_size=self.batch, shuffle=True, verbose=0, **how
        )

    def build(self) -> Any:
        """Build and compile the network, weights drawn anew."""
        from keras import Input, Sequential, layers

        network = Sequential(
            [
                Input((28, 28, 1)),
                layers.Conv2D(100, 5, activation="tanh"),
                layers.MaxPooling2D(2),
                layers.Conv2D(150, 5, activation="tanh"),
                layers.MaxPooling2D(2),
                layers.Conv2D(200, 3, activation="tanh"),
                layers.Flatten(),
                layers.Dense(300, activation="tanh"),
                layers.Dense(10, activation="softmax"),
            ]
        )
        loss = "sparse_categorical_crossentropy"
        network.compile("adam", loss, metrics=["accuracy"], **self.options)
        return network


SYSTEMS = {
    "caes": Caes,
    "caes-as-loaded": CaesAsLoaded,
    "caes-decoded": CaesDecoded,
    "torch": Torch,
    "keras": Keras,
    "caes-cnn": CaesCnn,
    "torch-cnn": TorchCnn,
    "keras-cnn": KerasCnn,
    "onnx": Onnx,
    "gemm": Gemm,
}


def serve(contender: Any, answers: TextIO) -> None:
    print(json.dumps(contender.ready()), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(contender, request.pop("do"))(**request)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    system, source, batch = sys.argv[1:]
    # Libraries print as they like: what they say goes to standard error.
    own_output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(SYSTEMS[system](source, int(batch)), own_output)
