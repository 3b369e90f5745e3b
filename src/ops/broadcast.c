#include "ops/broadcast.h"

/* Steps of an operand along the result's axes, aligned at the last axis. */
static void operand_steps(const shape *operand, const shape *out, int64_t *steps)
{
    int64_t step = 1;
    for (int i = 1; i <= out->rank; i++) {
        int64_t dim = i <= operand->rank ? operand->dims[operand->rank - i] : 1;
        steps[out->rank - i] = dim == 1 ? 0 : step;
        step *= dim;
    }
}

broadcast broadcast_make(const shape *out, const shape *const *operands, int n)
{
    int64_t steps[BROADCAST_MAX][TENSOR_MAX_RANK];
    for (int o = 0; o < n; o++) operand_steps(operands[o], out, steps[o]);
    broadcast self = {.n = n, .rank = 0};
    for (int axis = 0; axis < out->rank; axis++) {
        const int64_t dim = out->dims[axis];
        if (dim == 1) continue;
        const int last = self.rank - 1;
        bool joins = last >= 0;
        for (int o = 0; o < n && joins; o++) joins = self.step[o][last] == dim * steps[o][axis];
        const int to = joins ? last : self.rank++;
        self.dims[to] = joins ? self.dims[to] * dim : dim;
        for (int o = 0; o < n; o++) self.step[o][to] = steps[o][axis];
    }
    if (self.rank == 0) self = (broadcast){.n = n, .rank = 1, .dims = {1}};
    return self;
}

static void measure_run(const broadcast *self, broadcast_place *place)
{
    const int inner = self->rank - 1;
    place->run = self->dims[inner] - place->index[inner];
    if (place->run > place->last - place->at) place->run = place->last - place->at;
}

broadcast_place broadcast_start(const broadcast *self, int64_t first, int64_t last)
{
    broadcast_place place = {.at = first, .last = last};
    if (first >= last) return place;
    int64_t rest = first;
    for (int axis = self->rank - 1; axis >= 0; axis--) {
        place.index[axis] = rest % self->dims[axis];
        rest /= self->dims[axis];
        for (int o = 0; o < self->n; o++) place.from[o] += place.index[axis] * self->step[o][axis];
    }
    measure_run(self, &place);
    return place;
}

bool broadcast_next(const broadcast *self, broadcast_place *place)
{
    const int inner = self->rank - 1;
    place->at += place->run;
    if (place->at >= place->last) {
        place->run = 0;
        return false;
    }
    place->index[inner] += place->run;
    for (int o = 0; o < self->n; o++) place->from[o] += place->run * self->step[o][inner];
    for (int axis = inner; axis > 0 && place->index[axis] == self->dims[axis]; axis--) {
        place->index[axis] = 0;
        place->index[axis - 1]++;
        for (int o = 0; o < self->n; o++)
            place->from[o] += self->step[o][axis - 1] - self->dims[axis] * self->step[o][axis];
    }
    measure_run(self, place);
    return true;
}
