import{_ as m}from"../chunks/CAXybq8e.js";export{m as component};
