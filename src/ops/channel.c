#include "ops/channel.h"

#include "ops/operand.h"

coset_status infer_channels(const op_infer *call, int index, const char *name, int64_t channels)
{
    const shape *found = &call->in[index].shape;
    char text[SHAPE_TEXT];
    if (found->rank < 0) return COSET_OK;
    if (found->rank == 1 && (found->dims[0] < 0 || channels < 0 || found->dims[0] == channels))
        return COSET_OK;
    const shape expected = {.rank = 1, .dims = {channels}};
    char expected_text[SHAPE_TEXT];
    return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                     "expected shape %s for input %d (%s), found %s",
                     shape_text(&expected, expected_text, sizeof expected_text), index, name,
                     shape_text(found, text, sizeof text));
}

/* ids[c]: the unit of channel c. */
static void channel_units(op_labels *call, int64_t channels, int64_t *ids)
{
    const label_array *x = &call->labels[0];
    int64_t outer = x->dims[0], inner = 1;
    for (int a = 2; a < x->rank; a++) inner *= x->dims[a];
    for (int64_t c = 0; c < channels; c++) {
        const int64_t at = x->dims[1] > 1 ? c : 0;
        for (int64_t o = 0; o < outer; o++)
            for (int64_t i = 0; i < inner; i++) {
                const int64_t id = x->ids[(o * x->dims[1] + at) * inner + i];
                if (ids[c] == LABEL_NONE) ids[c] = id;
                labels_unite(call->set, ids[c], id, "it shares the parameters of a channel");
            }
    }
}

coset_status labels_channels(op_labels *call, int first, int n, const char *reason)
{
    coset_status status = COSET_OK;
    const label_array *x = &call->labels[0];
    bool constant = x->rank >= 2, elsewhere = false;
    for (int i = first; i < first + n; i++) constant = constant && labels_none(&call->labels[i]);
    if (!constant || labels_none(x)) return labels_freeze_all(call, reason);
    call->result[0] = *x;
    /* Units along another axis, all of whose channels are treated alike, need no parameter cut. */
    for (int a = 0; a < x->rank; a++) elsewhere = elsewhere || (a != 1 && x->dims[a] > 1);
    if (elsewhere && x->dims[1] == 1) goto done;
    /* Where the channels of x are unknown, nothing has checked the parameters against each other. */
    const int64_t channels = call->in[first].shape.dims[0];
    for (int i = first; i < first + n; i++)
        if (channels < 0 || call->in[i].shape.dims[0] != channels)
            return labels_freeze_all(call, "the number of its channels is unknown");
    label_array units;
    TRY(labels_make(call->set, 1, &channels, LABEL_NONE, &units));
    channel_units(call, channels, units.ids);
    for (int i = first; i < first + n; i++) TRY(labels_slot(call, i, 0, SLOT_SCALE, units.ids));
done:
    return status;
}
