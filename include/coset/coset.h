/* Coset: makes trained neural networks smaller. This header includes every public one. */
#ifndef COSET_COSET_H
#define COSET_COSET_H

#include <coset/compress.h>
#include <coset/context.h>
#include <coset/data.h>
#include <coset/demo.h>
#include <coset/dtype.h>
#include <coset/eval.h>
#include <coset/graph.h>
#include <coset/inspect.h>
#include <coset/ode.h>
#include <coset/report.h>
#include <coset/run.h>
#include <coset/status.h>

#endif
