"""The dashboard in a browser, and the same pages in one file: Starlette, Jinja2, plotly.js.

Pages are lists of Panels that `tables` made; here they are put into HTML with their plots as
SVG, into plotly's JSON for who zooms, and under addresses. Nothing leaves the machine: style
sheet and scripts are ours or come from the installed plotly package.
"""
