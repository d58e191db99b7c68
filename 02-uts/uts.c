#include "uts.h"

#include <string.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

void uts_set_names(const char *hostname, const char *domainname)
{
    if (hostname != NULL) {
        /* EXERCISE 2.2: give the new namespace its own host name. sethostname(2) */
        explain("hostname %s\tsethostname(\"%s\", %zu)", hostname, hostname, strlen(hostname));
        if (sethostname(hostname, strlen(hostname)) == -1)
            die("sethostname %s", hostname);
        /* END */
    }
    if (domainname != NULL) {
        explain("domainname %s\tsetdomainname(\"%s\", %zu)", domainname, domainname,
                strlen(domainname));
        if (setdomainname(domainname, strlen(domainname)) == -1)
            die("setdomainname %s", domainname);
    }
}
