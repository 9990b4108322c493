"""Seed known bugs, one at a time, and demand that the named tests fail for each.

    python tests/faults.py             # all of them; exit 1 if one goes unnoticed
    python tests/faults.py adam view   # those whose description holds one of the words

Works on temporary copies, one per worker; the checkout is not touched. Needs PyTorch, beside
which many of the tests run. A fault whose text is no longer in the source counts as a failure:
restate it, so that the list keeps step with the code.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import NamedTuple

from layout import copy_repository

WORKERS = min(2, os.cpu_count() or 1)
# Imported by pytest before anything else: the copy is tested, not what is installed, and
# Hypothesis stops at the first counterexample, however long.
PLUGIN = """\
from pathlib import Path
import tensorgrad, tensorgrad.nn, tensorgrad.optim, tensorgrad.utils.data
from hypothesis import Phase, settings
settings.register_profile("faults", phases=[Phase.explicit, Phase.generate], database=None)
settings.load_profile("faults")
for package in (tensorgrad, tensorgrad.nn, tensorgrad.optim, tensorgrad.utils.data):
    assert Path(package.__file__).is_relative_to(Path(__file__).parent), package.__file__
"""


class Fault(NamedTuple):
    """A bug: ``old`` in ``file`` becomes ``new``, and one of ``tests`` has to fail."""

    what: str
    file: str
    old: str
    new: str
    tests: str


OPS = "tests/test_ops.py::"
FIRST, SECOND = OPS + "test_vjp_agrees_with_finite_differences", OPS + "test_second_derivative"
GRAPH, ELEMENTWISE = "tensorgrad/_graph.py", "tensorgrad/ops/elementwise.py"
INPLACE, REGISTRY = "tensorgrad/_inplace.py", "tensorgrad/_registry.py"
AUTOGRAD, ENGINE, NN = "tests/test_autograd.py::", "tests/test_engine.py::", "tests/test_nn.py::"
OPTIM, WRITES = "tests/test_optim.py::", "tests/test_inplace.py::"
CHECKPOINTS, TRAIN_FILES = "tensorgrad/train/checkpoints.py", "tests/test_train_checkpoints.py::"
KILLS = TRAIN_FILES + "test_killed_and_resumed_runs_end_as_those_that_nobody_killed"
CTRL_C = TRAIN_FILES + "test_an_interrupted_run_goes_on_as_if_nothing_had_been"
FRAME, BOXES = "tests/test_augment_frame.py::", "tests/test_augment_boxes.py::"
GEOMETRY, COLOURS = "tests/test_augment_geometry.py::", "tests/test_augment_colour.py::"
MIXERS, POLICIES = "tests/test_augment_mixers.py::", "tests/test_augment_policies.py::"
REDUCER, PROCESSES = "tensorgrad/distributed/reducer.py", "tests/test_distributed.py::"

FAULTS = [
    # --- derivatives --------------------------------------------------------------------
    Fault("tanh's derivative is off by 1e-4", ELEMENTWISE,
          "g * (1.0 - out * out)", "g * (1.0001 - out * out)", f"{FIRST}[tanh]"),
    Fault("cos has the sign of its derivative wrong", "tensorgrad/ops/special.py",
          "g * -sin(x)", "g * sin(x)", f"{FIRST}[cos]"),
    Fault("the derivative of a quotient lacks a factor", ELEMENTWISE,
          "y=lambda g, x, y: g * (x / y / -y)", "y=lambda g, x, y: g * (x / -y)", f"{FIRST}[div]"),
    Fault("broadcasting is not undone", GRAPH,
          "if gp.shape != parent._shape:", "if False:", f"{FIRST}[mul]"),
    Fault("repeated indices are written once instead of added up", "tensorgrad/ops/index.py",
          "    np.add.at(out.reshape(-1), rows, np.ascontiguousarray(x).reshape(-1))",
          "    out.reshape(-1)[rows] = np.ascontiguousarray(x).reshape(-1)",
          f"{FIRST}[index_select] {FIRST}[gather]"),
    Fault("ties of amax all get the whole gradient", "tensorgrad/ops/reduce.py",
          "    weights /= total(weights, axes_of(dim, x.ndim), True)\n", "",
          "tests/test_torch_reduce.py::test_ties_share_the_gradient_as_in_pytorch"),
    Fault("clamp passes no gradient at its bounds", "tensorgrad/ops/comparison.py",
          "(x >= min) & (x <= max)", "(x > min) & (x < max)",
          "tests/test_torch_elementwise.py::test_derivative_at_kinks_ties_and_infinities"),
    Fault("a gradient comes back in the promoted dtype", ELEMENTWISE,
          "lambda g, x_dtype: cast(g, dtype=x_dtype)", "lambda g, x_dtype: g",
          f"{OPS}test_gradients_have_the_dtype_of_their_inputs[mul]"),
    # --- derivatives of derivatives -----------------------------------------------------
    Fault("an output that a node saved is a constant to double backward", REGISTRY,
          'edges["out"] = "node"', 'edges["out"] = "None"',
          f"{SECOND}[exp] {SECOND}[softmax]"),
    Fault("a residual is a constant to double backward", REGISTRY,
          "values[name] = definition(*[values[r] for r in reads], **attrs)",
          "values[name] = wrap(values[name])", f"{SECOND}[softmax_cross_entropy]"),
    Fault("batch norm's variance takes the mean for a constant", "tensorgrad/ops/fused.py",
          "    centred = x - _channel_mean(x)\n", "    centred = x - _channel_mean(x).detach()\n",
          f"{OPS}test_fused_op_equals_its_definition[batch_norm]"),
    # --- dtypes and memory --------------------------------------------------------------
    Fault("a NumPy constant turns a float32 gradient into float64", ELEMENTWISE,
          "g / (x * math.log(2.0))", "g / (x * np.log(2.0))", f"{OPS}test_float32_is_kept[log2]"),
    Fault("a derivative is computed in the memory of g", ELEMENTWISE,
          "sub.vjp(x=lambda g: g, y=lambda g: -g)",
          "sub.vjp(x=lambda g: g, y=lambda g: g.__imul__(-1.0))", f"{FIRST}[sub]"),
    Fault("a forward writes into its input", ELEMENTWISE,
          "    return np.tanh(x)", "    return np.tanh(x, out=x)", f"{FIRST}[tanh]"),
    Fault("an integer meeting a float32 makes a float64", "tensorgrad/dtypes.py",
          "if ka != kb and max(ka, kb) == 2:", "if False:",
          "tests/test_torch_elementwise.py::test_values_and_result_dtypes"),
    Fault("gradients of two leaves share memory", GRAPH,
          "                        gp = gp.copy()  # the", "                        pass  # the",
          f"{OPS}test_gradients_share_no_memory[add]"),
    Fault("a node holds its own output: a cycle", GRAPH,
          "    t._edge = node\n", "    t._edge = node\n    node.trace = t\n",
          f"{OPS}test_dropping_the_result_frees_its_node[mul]"),
    Fault("saved values stay until the graph dies", GRAPH,
          "                node.saved = None  #", "                pass  #",
          f"{AUTOGRAD}test_saved_arrays_go_while_backward_runs"),
    Fault("the walk holds the gradient of the node before", GRAPH,
          "            saved = gradients = gp = old = None", "            old = None",
          f"{AUTOGRAD}test_saved_arrays_go_while_backward_runs "
          f"{ENGINE}test_memory_falls_while_backward_runs"),
    # --- the walk -----------------------------------------------------------------------
    Fault("the walk goes from the oldest node to the latest", GRAPH,
          "order.sort(key=_by_seq, reverse=True)", "order.sort(key=_by_seq)",
          f"{AUTOGRAD}test_same_as_pytorch"),
    Fault("the walk visits nodes in the order it found them", GRAPH,
          "    order.sort(key=_by_seq, reverse=True)\n", "", f"{ENGINE}TestPrograms"),
    Fault("two paths to a node: the later one replaces the earlier", GRAPH,
          "grads[parent] = old + gp\n", "grads[parent] = gp\n",
          f"{FIRST}[mul] {ENGINE}TestPrograms"),
    Fault("backward overwrites grad instead of adding to it", GRAPH,
          "                array += g", "                array[...] = g", f"{ENGINE}TestPrograms"),
    Fault("retain_graph is ignored", GRAPH,
          "if plan.frees and not retain:", "if plan.frees:", f"{AUTOGRAD}test_same_as_pytorch"),
    Fault("grad() runs the derivatives that nobody asked for", GRAPH,
          "plan.run if leading is None else plan.part(leading[node])", "plan.run",
          f"{AUTOGRAD}test_vjps_of_unwanted_inputs_do_not_run"),
    Fault("a walk under create_graph leaves recording on", GRAPH,
          "            set_recording(before)\n    return", "            pass\n    return",
          f"{AUTOGRAD}test_failed_walk_leaves_the_mode_as_it_was"),
    Fault("no_grad stays on when an exception passes", "tensorgrad/autograd/grad_mode.py",
          "        set_recording(self._before.pop())\n\n\nclass no_grad",
          "        error[0] or set_recording(self._before.pop())\n\n\nclass no_grad",
          f"{AUTOGRAD}test_grad_modes"),
    Fault("the grad mode is shared by all threads", GRAPH,
          "class _Mode(threading.local):", "class _Mode:", f"{ENGINE}test_grad_mode_is_per_thread"),
    # --- in-place writes ----------------------------------------------------------------
    Fault("a value changed since it was saved goes unnoticed", GRAPH,
          "if node._seq < last_write:", "if False:", f"{AUTOGRAD}test_changed_values"),
    Fault("a write to a view is not seen by its sibling views", INPLACE,
          "in base._views or ():\n        view = ref()\n        if view is None or view is done",
          "in ():\n        view = ref()\n        if view is None or view is done",
          f"{WRITES}test_random_programs"),
    Fault("an in-place op overwrites what it saved", INPLACE,
          "tuple(_apart(value, owner) for value in node.saved)", "node.saved",
          f"{WRITES}test_values_saved_by_the_write_itself_are_kept"),
    Fault("a tracked value written into an untracked tensor is not recorded", INPLACE,
          "    if tracked or target._edge is not None:", "    if target._edge is not None:",
          f"{WRITES}test_an_untracked_tensor_is_tracked_once_a_tracked_value_is_written_into_it"),
    Fault("a leaf may be written in place", INPLACE,
          "    if target._edge is LEAF:\n        raise errors.GraphError(",
          "    if False:\n        raise errors.GraphError(",
          f"{WRITES}test_leaves_and_their_views_are_not_written"),
    # --- layers and losses --------------------------------------------------------------
    Fault("cross entropy divides by the classes instead of the samples", "nn/functional/loss.py",
          "scale = 1.0 / len(t) if", "scale = 1.0 / x.shape[1] if",
          "tests/test_losses.py::test_cross_entropy_of_a_batch_of_which_all_count"),
    Fault("log_softmax overflows for large values", "tensorgrad/ops/fused.py",
          "shifted = x - np.maximum.reduce(x, 1, keepdims=True)", "shifted = x - 0.0",
          "tests/test_losses.py::test_losses_are_stable_at_large_logits"),
    Fault("dropout does not make up for what it zeroes", "nn/functional/dropouts.py",
          "scale = 1.0 / (1.0 - p) if p < 1.0 else 0.0", "scale = 1.0",
          f"{NN}test_dropout_keeps_the_mean_and_repeats_with_the_seed"),
    Fault("batch norm's running variance is the biased one", "tensorgrad/ops/normalization.py",
          "statistics[1].reshape(-1) * (count / (count - 1))", "statistics[1].reshape(-1)",
          f"{NN}test_batch_norm_beside_pytorch"),
    Fault("load_state_dict writes before it has checked everything", "nn/modules/module.py",
          "todo.append(partial(_load, self, name, tensor, state_dict[key], assign))",
          "_load(self, name, tensor, state_dict[key], assign)",
          f"{NN}test_load_reports_everything_and_changes_nothing"),
    Fault("attention forgets the scale in its gradient", "tensorgrad/ops/attention.py",
          "        slope *= scale\n", "", f"{FIRST}[attention]"),
    Fault("attention's second derivative forgets dropout", "tensorgrad/ops/attention.py",
          "slope if drop is None else slope * drop", "slope", f"{SECOND}[attention]"),
    Fault("attention shifts no scores", "tensorgrad/ops/attention.py",
          "scores -= top", "pass",
          "tests/test_attention.py::test_scores_that_overflow_an_exponential"),
    Fault("a query that sees nothing gets nan", "tensorgrad/ops/attention.py",
          "        top[dead] = 0\n", "        pass\n",
          "tests/test_attention.py::test_a_query_that_sees_nothing_gets_zeros"),
    Fault("a padded key is seen", "nn/functional/attention.py",
          "return mask + padding", "return mask",
          "tests/test_attention.py::test_masks_of_the_layer"),
    Fault("an encoder's layers share their parameters", "nn/modules/transformer.py",
          "copy.deepcopy(module)", "module", "tests/test_transformer.py"),
    Fault("an LSTM forgets its forget gate on the way back", "tensorgrad/kernels/recurrent.py",
          "        cell *= forget[at]\n", "", f"{FIRST}[lstm_layer]"),
    Fault("complex gradients are not conjugated", GRAPH,
          "run(_conjugated(g), saved, attrs)]", "run(g, saved, attrs)]",
          "tests/test_complex.py::test_first_and_second_gradients"),
    Fault("the temporal classification skips between equal labels", "nn/functional/ctc.py",
          "(places[:, 2:] != blank) & (places[:, 2:] != places[:, :-2])",
          "(places[:, 2:] != blank)",
          "tests/test_more_losses.py::test_gradient_of_ctc_through_log_softmax"),
    Fault("aligned corners are not", "nn/functional/vision.py",
          "step = dtype((n - 1) / (m - 1)) if m > 1 else dtype(0)", "step = dtype(n / m)",
          "tests/test_vision.py::test_interpolate"),
    Fault("clipping enlarges small gradients", "nn/utils/clip_grad.py",
          "+ _EPS), 1.0)", "+ _EPS), np.inf)", "tests/test_nn_utils.py::test_clip_grad_norm"),
    Fault("cosine annealing is an epoch ahead", "optim/lr_scheduler.py",
          "ratio = (1 + math.cos(math.pi * epoch / T_max)) / (",
          "ratio = (1 + math.cos(math.pi * (epoch + 1) / T_max)) / (",
          "tests/test_lr_scheduler.py::test_schedules_are_pytorchs"),
    Fault("workers share one seed", "tensorgrad/utils/data/_utils/worker.py",
          "base, seed = job.base_seed, job.base_seed + worker_id",
          "base, seed = job.base_seed, job.base_seed",
          "tests/test_data_workers.py::test_workers_are_seeded_as_pytorchs"),
    Fault("a file of PyTorch's may name any function", "tensorgrad/serialization/torch_files.py",
          "        raise UnpicklingError(_refusal(module, name))",
          "        return getattr(__import__(module), name)",
          "tests/test_torch_files.py"),
    # --- optimizers ---------------------------------------------------------------------
    Fault("Adam corrects its bias for one step too many", "optim/adam.py",
          "root = math.sqrt(1.0 - beta2**count)", "root = math.sqrt(1.0 - beta2 ** (count + 1))",
          f"{OPTIM}test_adam_by_hand"),
    Fault("AdamW couples its weight decay to the gradient", "optim/adam.py",
          "            decoupled_weight_decay=True,", "            decoupled_weight_decay=False,",
          f"{OPTIM}test_adam_by_hand"),
    Fault("SGD with nesterov does not look ahead", "optim/sgd.py",
          'if group["nesterov"]:', "if False:", f"{OPTIM}test_trajectory_is_pytorchs"),
    # --- training -----------------------------------------------------------------------
    Fault("a resumed fit has dropout's masks from anywhere", CHECKPOINTS,
          'default_generator.set_state(states["default"])', "pass", f"{KILLS} {CTRL_C}"),
    Fault("a resumed fit draws a DataLoader's order anew", "tensorgrad/train/trainer.py",
          "set_generators(self._start, self._sources)", "pass", KILLS),
    Fault("a resumed fit begins its epoch anew", "tensorgrad/train/trainer.py",
          "batches = source.epoch(self.epoch - 1, self.batch)",
          "batches = source.epoch(self.epoch - 1)", f"{KILLS} {CTRL_C}"),
    Fault("a checkpoint forgets the schedule", CHECKPOINTS,
          '(trainer.scheduler, "scheduler"))', ')', KILLS),
    Fault("a checkpoint forgets the metrics of a part of an epoch", CHECKPOINTS,
          '_load_meter(meter, state["meters"][name])', "pass", f"{KILLS} {CTRL_C}"),
    Fault("a checkpoint forgets the best weights", "tensorgrad/train/stopping.py",
          'setattr(self, name, state_dict[name])', "pass", KILLS),
    Fault("a checkpoint falls into the midst of an accumulated step", CHECKPOINTS,
          "if self.due and not trainer._pending:", "if self.due:", KILLS),
    Fault("the checkpoint of an interrupted fit has the best weights, not the last",
          "tensorgrad/train/trainer.py",
          "            if saver is not None:\n                saver.save(self)\n",
          "        if saver is not None:\n            saver.save(self)\n", CTRL_C),
    Fault("an altered value in a checkpoint is not noticed", "tensorgrad/serialization/sealed.py",
          'sha.update(array.reshape(-1).view("u1"))', "pass", TRAIN_FILES + "test_any_altered_byte"
          "_and_any_cut_is_noticed"),
    Fault("a full disk ends the training", CHECKPOINTS,
          "except OSError as error:\n            last",
          "except EOFError as error:\n            last",
          TRAIN_FILES + "test_a_write_that_fails_warns_and_loses_nothing"),
    Fault("an error leaves the last weights", "tensorgrad/train/trainer.py",
          "stack.callback(callback.on_fit_end, self)", "callback.on_fit_end(self)",
          "tests/test_train_callbacks.py::test_the_best_weights_are_restored_however_fit_ends"),
    Fault("a second fit forgets the best so far", "tensorgrad/train/stopping.py",
          "if trainer.history is not self._history:", "if True:",
          "tests/test_train_callbacks.py::test_the_best_so_far_is_kept_for_the_same_trainer_and_not"
          "_for_another"),
    Fault("batches of an accumulated step count alike", "tensorgrad/train/trainer.py",
          "full_like(value, weight)", "full_like(value, 8)",
          "tests/test_trainer.py::test_accumulated_batches_are_one_large_batch"),
    Fault("the order of the data hangs on the default generator", "tensorgrad/train/batches.py",
          "order = sampling.randperm(generator, self.size)",
          "order = sampling.randperm(__import__('tensorgrad').random.resolve(None), self.size)",
          "tests/test_trainer.py::test_the_order_depends_on_seed_and_epoch_alone"),
    Fault("measuring takes the number of the epoch from the training data",
          "tensorgrad/train/trainer.py", "training.announce(max(self.epoch - 1, 0))", "pass",
          "tests/test_trainer.py::test_measuring_within_an_epoch_leaves_its_number"
          "_to_the_training_data"),
    # --- augmentation -------------------------------------------------------------------
    Fault("augmentation: nine rounds of Philox", "augment/_random.py", "_ROUNDS = 10",
          "_ROUNDS = 9", FRAME + "test_philox_gives_the_published_words"),
    Fault("augmentation: few rows begin each block anew", "augment/_random.py",
          "_one(self._start + len(words) // 4, index, key)", "_one(self._start, index, key)",
          FRAME + "test_few_rows_hold_what_they_hold_among_many"),
    Fault("augmentation: each epoch is the same", "augment/_random.py",
          "_hashed(_hashed((0, 0), check_key(seed, \"seed\")), check_key(epoch, \"epoch\"))",
          "_hashed((0, 0), seed)",
          FRAME + "test_epochs_and_seeds_differ"),
    Fault("augmentation: samples are numbered within their batch", "augment/_random.py",
          "self._begin(key, index.astype(np.uint64))",
          "self._begin(key, np.arange(len(index), dtype=np.uint64))",
          FRAME + "test_an_image_is_the_same_in_any_batch_and_order"),
    Fault("augmentation: all transforms of a pipeline draw alike", "augment/compose.py",
          "params.append(t.sample(n, shape, rng.child(i)))",
          "params.append(t.sample(n, shape, rng.child(0)))",
          FRAME + "test_the_position_in_the_pipeline_counts"),
    Fault("augmentation: workers that stay keep the first epoch", "augment/dataset.py",
          "mmap.mmap(-1, 8)", "bytearray(8)",
          FRAME + "test_workers_that_stay_see_the_epoch_change[fork]"),
    Fault("augmentation: spawned workers that stay keep the first epoch", "augment/dataset.py",
          "return _spawned_epoch, (bytes(ForkingPickler.dumps(self._spawned)),)",
          "return _Epoch, (self.get(),)",
          FRAME + "test_workers_that_stay_see_the_epoch_change[spawn]"),
    Fault("augmentation: an interrupted call leaves its threads at work", "augment/_threads.py",
          "            _join(helpers, ends)\n            raise", "            raise",
          FRAME + "test_an_interrupt_leaves_no_thread_at_work"),
    Fault("augmentation: fused matrices in the wrong order", "augment/compose.py",
          "ahead @ matrices", "matrices @ ahead",
          GEOMETRY + "test_fused_is_one_after_another_where_that_is_exact"),
    Fault("augmentation: what a crop took away is fused in again", "augment/compose.py",
          "if any(u.resizes for u in run) and own:", "if False:",
          GEOMETRY + "test_fused_is_one_after_another_where_that_is_exact"),
    Fault("augmentation: positions are those of corners", "augment/_resample.py",
          "        p -= _HALF\n", "", GEOMETRY + "test_rotation_is_that_of_pillow"),
    Fault("augmentation: a border is mirrored about its edge", "augment/_resample.py",
          "period = max(2 * n - 2, 1) << _BITS", "period = 2 * n << _BITS",
          GEOMETRY + "test_resampling_is_its_definition"),
    Fault("augmentation: a dropped box keeps its label", "augment/boxes.py",
          "_kept(self.labels[i], kept[own])", "self.labels[i]",
          BOXES + "test_boxes_of_which_too_little_is_left_are_dropped_with_their_labels"),
    Fault("augmentation: a rounded box ends the run", "augment/boxes.py",
          "out = beyond > self.tolerance", "out = beyond > 0",
          BOXES + "test_boxes_that_stand_out_by_a_little_are_clipped"),
    Fault("augmentation: boxes of unsigned integers wrap around", "augment/boxes.py",
          "np.maximum(0.0 - boxes, ", "np.maximum(-boxes, ",
          BOXES + "test_boxes_and_points_of_any_dtype"),
    Fault("augmentation: the border of a crop is not filled", "augment/_resample.py",
          "for border in (out[:, :top], ", "for border in (",
          GEOMETRY + "test_pads_are_those_of_numpy"),
    Fault("augmentation: a resized part is read from its image's corner", "augment/_resize.py",
          "return slice(least, ", "return slice(0, ",
          GEOMETRY + "test_random_resized_crop_is_a_crop_and_a_resize"),
    Fault("augmentation: points beyond the horizon come back as mirror images",
          "augment/geometry.py", "np.maximum(moved[:, 2:], _HORIZON)", "moved[:, 2:]",
          GEOMETRY + "test_points_beyond_the_horizon_are_not_seen"),
    Fault("augmentation: the lines of a large spline begin at its top", "augment/distortion.py",
          "_basis(scaled, i, ", "_basis(scaled, 0, ",
          GEOMETRY + "test_thin_plates_are_those_of_scipy"),
    Fault("augmentation: the last thread sets the BLAS to what the first had set",
          "augment/_threads.py", " or not _limiting.acquire(blocking=False)", "",
          FRAME + "test_runs_that_overlap_leave_the_blas_as_it_was"),
    Fault("augmentation: sums of tall images overflow", "augment/colour.py",
          "sums = lines.sum(1, dtype=np.uint32)", "sums = lines.sum(1, dtype=np.uint16)",
          COLOURS + "test_the_mean_of_tall_and_wide_images_does_not_overflow"),
    Fault("augmentation: all images through the first one's table", "augment/_pixels.py",
          "table[256 * i : 256 * (i + 1)]", "table[:256]",
          COLOURS + "test_enhancers_take_one_factor_for_each_image"),
    Fault("augmentation: a strength beyond all floats is infinite", "augment/_pixels.py",
          "np.clip(values, -most, most)", "np.asarray(values)",
          COLOURS + "test_huge_strengths_saturate"),
    Fault("augmentation: tiles of CLAHE are whole along one side alone", "augment/histogram.py",
          "(0, grid[0] - height % grid[0]), (0, grid[1] - width % grid[1])",
          "(0, -height % grid[0]), (0, -width % grid[1])", COLOURS + "test_clahe_equals_loops"),
    Fault("augmentation: rounding leaves the declared range", "augment/_layout.py",
          "block = np.clip(block.astype(self.dtype, copy=False), low, high)", "pass",
          FRAME + "test_scaling_to_another_range_and_back_stays_in_it"),
    Fault("augmentation: a partner's weight is that of its own box", "augment/snapmix.py",
          "give = maps[partner][:, inside[1]].sum(1)", "give = maps[:, inside[1]].sum(1)",
          MIXERS + "test_snapmix_pastes_the_resized_box_and_weighs_by_the_maps"),
    Fault("augmentation: SnapMix looks for the pooling on the first image", "augment/snapmix.py",
          "find_pooled(self.model, _noise(batch))", "find_pooled(self.model, batch[:1])",
          MIXERS + "test_the_place_does_not_depend_on_the_first_batch"),
    Fault("augmentation: an image that is not mixed takes another's nan", "augment/mixers.py",
          "for value, kept in ((0, x), (1, other)):", "for value, kept in ((1, other),):",
          MIXERS + "test_what_is_not_mixed_is_exact_whatever_stands_beside_it"),
    Fault("augmentation: SMOTE-NC draws in the order of the columns", "augment/sampling/smote.py",
          "np.array(list(dict.fromkeys(int(c) % count for c in known)), int)",
          "np.unique(np.array(known, int) % count)",
          "tests/test_smote.py::test_smotenc_draws_for_columns_in_the_order_given"),
    Fault("augmentation: the schedule of mixers is an epoch ahead", "tensorgrad/train/callbacks.py",
          "set_epoch(trainer.epoch - 1)", "set_epoch(trainer.epoch)",
          MIXERS + "test_the_schedule_follows_the_trainer"),
    Fault("augmentation: partners in a policy are those of a block", "augment/_transform.py",
          "[slice(0, n)] if self.mixes else blocks_of", "blocks_of",
          POLICIES + "test_sample_pairing_takes_partners_from_all_of_a_large_batch"),
    Fault("augmentation: a pixel of the very threshold is kept", "augment/operations.py",
          "first + np.arange(bins) * (last - first) / max(bins - 1, 1)",
          "np.linspace(first, last, bins)",
          POLICIES + "test_thresholds_of_solarize_are_met_exactly"),
    Fault("augmentation: a published level is another", "augment/_policy_tables.py",
          "Con 0.3 3 + Rot 0.8 4", "Con 0.3 4 + Rot 0.8 3", POLICIES + "test_published_tables"),
    Fault("augmentation: all magnitudes of a policy are negative", "augment/policies.py",
          "negative = rng.random(strengths.shape[1:]) < 0.5",
          "negative = rng.random(strengths.shape[1:]) < 1",
          POLICIES + "test_sub_policies_are_equally_likely_and_their_probabilities_kept"),
    # --- data, files, random numbers, structure -----------------------------------------
    Fault("the loader drops the last, smaller batch", "tensorgrad/utils/data/sampler.py",
          "if self.drop_last and len(batch) < self.batch_size:", "if len(batch) < self.batch_size:",
          "tests/test_data.py::test_collate_fn_and_samplers"),
    Fault("tensors in a file may overlap", "tensorgrad/serialization/safetensors.py",
          "            if begin != position:", "            if False:",
          "tests/test_serialization.py::TestDamagedFiles::test_each_kind"),
    Fault("a seed leaves half of a pair of normals behind", "tensorgrad/random.py",
          "            self._ready = False\n            self.next_normal = None\n",
          "            self._ready = False\n",
          "tests/test_random.py::"
          "test_manual_seed_returns_the_generator_and_forgets_the_kept_normal"),
    Fault("the engine imports nn", "tensorgrad/creation.py",
          "from ._registry import function\n",
          "from ._registry import function\n\n\ndef _nn():\n    from . import nn\n    return nn\n",
          "tests/test_imports.py::test_imports_go_down_only"),
    Fault("processes: gradients are summed, not averaged", REDUCER,
          "np.divide(total, size, out", "np.divide(total, 1, out",
          PROCESSES + "test_in_three_processes[gradients]"),
    Fault("processes: what a parameter has unused counts as a gradient of zero", REDUCER,
          "            if not used:\n                continue\n", "",
          PROCESSES + "test_in_three_processes[gradients]"),
    Fault("processes: what the dead had drawn is lost", "tensorgrad/utils/data/distributed.py",
          "if m in group.members else self.used", "if m in group.members else self.drawn",
          PROCESSES + "test_what_the_dead_had_drawn_is_dealt_anew"),
    Fault("processes: statistics of a normalisation are those of one",
          "nn/modules/sync_batchnorm.py",
          "var = total((centred * centred).sum(dims), group=self.process_group) / n",
          "var = (centred * centred).mean(dims)",
          PROCESSES + "test_in_three_processes[normalisation]"),
    Fault("processes: a callback of a backward pass runs at the end of one within it", GRAPH,
          "outer = _queued.pop(get_ident(), None) if _queued else None", "outer = None",
          PROCESSES + "test_callbacks_run_at_the_end_of_their_own_pass"),
]  # fmt: skip


class Workplace:
    """A copy of the repository in which tests are run with one fault at a time."""

    def __init__(self, folder: Path):
        self.root = copy_repository(folder)
        (self.root / "tested_copy.py").write_text(PLUGIN)
        # Without bytecode: a source of the same length and second would pass for the old one.
        self.environment = {**os.environ, "PYTHONPATH": str(self.root),
                            "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip

    def run(self, tests: list[str], *options: str) -> subprocess.CompletedProcess:
        """Run the tests until the first failure."""
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p",
             "tested_copy", "--hypothesis-seed=0", "--tb=no", *options, *tests],
            capture_output=True, text=True, cwd=self.root, env=self.environment,
        )  # fmt: skip

    def verdict(self, fault: Fault) -> tuple[bool, str]:
        """Whether the fault is caught, and by which test or why not."""
        path = self.root / fault.file
        source = path.read_text()
        if source.count(fault.old) != 1:
            return False, f"its text is {source.count(fault.old)} times in {fault.file}, not once"
        path.write_text(source.replace(fault.old, fault.new))
        try:
            run = self.run(fault.tests.split())
        finally:
            path.write_text(source)
        failed = re.findall(r"^FAILED (\S+)", run.stdout, re.M)
        if run.returncode == 1 and failed:
            return True, failed[0].partition("/")[2]
        return False, f"pytest ended with {run.returncode}: {last_line(run)}"


def last_line(run) -> str:
    """The end of a report, where pytest counts the tests."""
    return (run.stdout + run.stderr).strip().splitlines()[-1]


def check_faultless(place: Workplace, faults: list[Fault]) -> bool:
    """Run everything that is about to be used on the source as it is: all must pass."""
    tests = sorted({test for fault in faults for test in fault.tests.split()})
    run = place.run(tests, "-rs", "--tb=short")
    if run.returncode or " skipped" in last_line(run):
        print(f"the tests must pass, and none be skipped, without a fault:\n{run.stdout[-4000:]}")
        return False
    return True


def main(words: list[str]) -> int:
    """Seed the faults and print a table; returns the exit status."""
    faults = [f for f in FAULTS if not words or any(w.lower() in f.what.lower() for w in words)]
    start = time.monotonic()
    free: Queue[Workplace] = Queue()

    def examine(fault):
        place = free.get()
        try:
            return place.verdict(fault)
        finally:
            free.put(place)

    with tempfile.TemporaryDirectory() as folder:
        for i in range(WORKERS):
            free.put(Workplace(Path(folder).resolve() / f"copy{i}"))
        if not faults or not check_faultless(free.queue[0], faults):
            return 1
        caught = 0
        with ThreadPoolExecutor(WORKERS) as pool:
            for fault, (good, by) in zip(faults, pool.map(examine, faults), strict=True):
                caught += good
                print(f"{fault.what:70} {'caught by' if good else 'NOT CAUGHT:'} {by}", flush=True)
    print(f"{caught} of {len(faults)} faults caught in {time.monotonic() - start:.0f} s")
    return 0 if caught == len(faults) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
