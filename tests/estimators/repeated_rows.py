"""Why scikit-learn's check of weights against repeated rows cannot pass for networks."""

EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": "The check asks for equal predictions, to "
    "seven digits, of weighted and of repeated rows. Repeated rows are dealt into other batches, "
    "meet copies of themselves in mixup, metric losses and neighbourhoods, and are parted by "
    "folds, so that another network of the same random family is trained. That a weight of 0 is a "
    "row left out, to the last bit, and that whole weights are repeated rows, where no batch is "
    "drawn exactly and else in the mean over seeds: test_sample_weight.py.",
}
