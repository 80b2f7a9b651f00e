/* The rules of detectors as tables, and what they make of hits. judge.c */
#ifndef GS_PRIVACY_RULES_H
#define GS_PRIVACY_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "config/routes.h"
#include "privacy/privacy.h"

struct gs_privacy_rules {
    enum gs_privacy privacy[GS_PRIVACY_DETECTORS]; /* of several rules the strictest */
    unsigned wanted;                               /* 1 << detector: there is a rule */
    bool has_paths;
};

void gs_privacy_rules_init(struct gs_privacy_rules *r, const struct gs_config_secret_rule *rules,
                           size_t n_rules);
/* Of the hits of one text: put them into their order, drop what lies within what is exempt, make
 * one of those that overlap. How many are left. */
size_t gs_privacy_rules_join(const struct gs_privacy_rules *r, struct gs_buf *hits);

#endif
